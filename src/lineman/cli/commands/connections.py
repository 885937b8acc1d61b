"""`lineman connections`: the clients of a running program, one line each.

Exit status: 0, 1 if a process was too busy to answer, 3 if the program does not run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from lineman.cli.shared import program_target, table, units
from lineman.cli.shared.parsing import span
from lineman.cli.shared.program_target import Ask
from lineman.cli.shared.table import Column, printable
from lineman.process.master.handoff import Handoff
from lineman.process.messages.connection_rows import (
    SORTS,
    STATES,
    FoundRows,
    Row,
    Selection,
    check_meant,
    merge,
)

LIMIT = 100

COLUMNS = (
    Column("WORKER", shrinks_to=6, rank=3),
    Column("PID", is_number=True, rank=1),
    Column("ID", is_number=True),
    Column("PROTO", rank=4),
    Column("TLS", rank=5),
    Column("CIPHER", shrinks_to=10, rank=8),
    Column("CLIENT", shrinks_to=15),
    Column("PEER", shrinks_to=12, rank=7),
    Column("PATH", shrinks_to=8, rank=6),
    Column("ADDRESS", shrinks_to=10, rank=6),
    Column("OPEN", is_number=True, rank=2),
    Column("IDLE", is_number=True),
    Column("MSG IN", is_number=True, rank=1),
    Column("OUT", is_number=True, rank=1),
    Column("B IN", is_number=True, rank=2),
    Column("OUT", is_number=True, rank=2),
    Column("UNSENT", is_number=True, rank=1),
    Column("STATE"),
    Column("REASON", shrinks_to=8, rank=5),
    Column("UID", shrinks_to=8, rank=3),
    Column("GROUPS", is_number=True, rank=5),
)


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    add_options(
        program_target.add_command(
            commands,
            "connections",
            handoff,
            program_target.asking(show),
            "list the clients of a running program",
        )
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    add("--sort", choices=[*SORTS], default="id", help="sort by this column (default: id)")
    add("--reverse", action="store_true", help="reverse the order")
    add(
        "--limit",
        type=_limit,
        default=LIMIT,
        metavar="N",
        help=f"number of rows, 0 for all (default: {LIMIT})",
    )
    add("--worker", metavar="NAME", help="only clients of this worker: its name or address")
    add("--pid", type=int, metavar="PID", help="only clients of this process")
    add(
        "--ip",
        metavar="ADDRESS",
        help="only clients from this address or network, such as 10.0.0.0/8",
    )
    add("--uid", metavar="UID", help="only clients of this user of a Gateway")
    add("--state", choices=STATES, help="only clients in this state")
    add(
        "--idle-for",
        type=span,
        default=0.0,
        metavar="TIME",
        help="only clients that were silent for this time: 90, 5m, 2h",
    )
    add("--json", action="store_true", help="as JSON")


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number; give 1 or more, or 0 for all")
    return int(text)


def selection(options: argparse.Namespace) -> Selection:
    """The rows that the options select.

    Raises:
        UsageError: an option is invalid.
    """
    return Selection(
        worker=options.worker,
        pid=options.pid,
        ip=options.ip,
        state=options.state,
        uid=options.uid,
        idle_for=options.idle_for,
        sort=options.sort,
        reverse=options.reverse,
        limit=options.limit,
    )


def show(options: argparse.Namespace, ask: Ask) -> int:
    """Asks the program, prints its connections and returns the exit status.

    Raises:
        UsageError: an option is invalid.
    """
    wanted = selection(options)
    reply = ask("connections", wanted.to_json())
    check_meant(reply, wanted)
    found = merge(reply, wanted)
    if options.json:
        print(json.dumps(asdict(found), separators=(",", ":")))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(render(found, time.time(), width)))
    return 1 if found.busy else 0


def render(found: FoundRows, now: float, width: int | None = None) -> list[str]:
    """The table, and a line that says which connections are not in it.

    Args:
        found: the rows.
        now: seconds since 1970.
        width: cells of the terminal; None for none.
    """
    return [*lines_of(found.rows, now, width), summary(found)]


def lines_of(rows: Sequence[Row], now: float, width: int | None) -> list[str]:
    """The table; columns in which no row has anything are left out."""
    cells = [_cells(row, now) for row in rows]
    places = range(len(COLUMNS))
    shown = [place for place in places if not cells or any(row[place] for row in cells)]
    columns = [COLUMNS[place] for place in shown]
    return table.render(columns, [[row[place] for place in shown] for row in cells], width)


def _cells(row: Row, now: float) -> list[str]:
    client = f"[{row.ip}]" if ":" in row.ip else row.ip
    where = f"{client}:{row.port}" if row.port else row.ip
    return [
        row.worker,
        str(row.pid),
        str(row.id),
        row.protocol + (f"+{row.subprotocol}" if row.subprotocol else ""),
        row.tls or "",
        row.cipher or "",
        where,
        "" if row.peer == where else row.peer,
        row.path,
        row.address,
        "-" if row.since is None else units.span(now - row.since),
        units.span(row.idle),
        units.number(row.messages_in),
        units.number(row.messages_out),
        units.size(row.bytes_in),
        units.size(row.bytes_out),
        units.size(row.buffered),
        row.state,
        row.reason,
        row.uid,
        str(row.groups or ""),
    ]


def summary(found: FoundRows) -> str:
    """How many of all connections the table shows."""
    text = f"{len(found.rows):,} of {found.matching:,} connections"
    if found.matching != found.total:
        text += f" that match, of {found.total:,} in all"
    if len(found.rows) < found.matching:
        text += "; --limit 0 shows all"
    if found.busy:
        text += f"; without the processes {', '.join(map(str, found.busy))}: busy"
    for worker in found.unconnected:
        text += f"; {printable(worker)} takes datagrams, which have no connections"
    return text
