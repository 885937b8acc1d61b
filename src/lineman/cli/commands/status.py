"""`lineman status`: the processes of a running program, and the state of each.

Exit status: 0 where every worker has a process that accepts clients, 1 where one has none, the node
is drained, or something keeps it from working as it should (a broker that is not reached), 3 if the
program does not run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from lineman.cli.shared import program_target, table, units
from lineman.cli.shared.program_target import Ask
from lineman.cli.shared.table import Column, printable
from lineman.process.master.handoff import Handoff
from lineman.process.messages.process_status import (
    Certificate,
    ChildStatus,
    Inner,
    ProcessReport,
    Status,
    Traffic,
)

DAY = 86400.0

COLUMNS = (
    Column("WORKER", shrinks_to=8),
    Column("SLOT", is_number=True),
    Column("PID", is_number=True),
    Column("STATE"),
    Column("UP", is_number=True, rank=2),
    Column("CPU", is_number=True, rank=1),
    Column("MEM", is_number=True, rank=1),
    Column("CONNS", is_number=True),
    Column("SHAKE", is_number=True, rank=6),
    Column("MSG IN/s", is_number=True, rank=3),
    Column("OUT/s", is_number=True, rank=3),
    Column("B IN/s", is_number=True, rank=4),
    Column("OUT/s", is_number=True, rank=4),
    Column("MSGS IN", is_number=True, rank=8),
    Column("OUT", is_number=True, rank=8),
    Column("LAG", is_number=True, rank=1),
    Column("UNSENT", is_number=True, rank=5),
    Column("EXC", is_number=True, rank=2),
    Column("RESTARTS", is_number=True, rank=5),
)


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    add_options(
        program_target.add_command(
            commands,
            "status",
            handoff,
            program_target.asking(show),
            "show the processes of a running program",
        )
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--json", action="store_true", help="as JSON, with all values")


def show(options: argparse.Namespace, ask: Ask) -> int:
    """Asks the program, prints its answer and returns the exit status."""
    status = Status.from_json(ask("status", {"pss": True}))
    if options.json:
        print(json.dumps(asdict(status), indent=2))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(render(status, time.time(), width)))
    is_well = serves(status) and not status.troubles() and not status.is_draining
    return 0 if is_well else 1


def serves(status: Status) -> bool:
    """Whether every worker has a process that accepts clients."""
    ready = {child.worker for child in status.children if child.is_ready}
    return bool(status.children) and ready == set(status.workers())


def render(status: Status, now: float, width: int | None = None) -> list[str]:
    """The whole answer as lines.

    Args:
        status: what the service says.
        now: seconds since 1970.
        width: cells of the terminal; None for none.
    """
    rows = [_row(child, now) for child in status.children]
    if len(status.children) > 1:
        rows.append(_total(status))
    lines = [head(status, now), "", *table.render(COLUMNS, rows, width)]
    troubles = [f"TROUBLE: {printable(each)}" for each in status.troubles()]
    told = [
        *_drain(status, now),
        *_inner(status),
        *_facts(status),
        *_requests(status),
        *_hits(status),
        *_restarts(status),
        *_certificates(status, now),
    ]
    notes = [*troubles, *told]
    return [*lines, "", *notes] if notes else lines


def head(status: Status, now: float) -> str:
    """The service in one line."""
    master = status.master
    ready = [child for child in status.children if child.is_ready]
    accepting = [] if status.is_draining else [child for child in ready if child.takes_clients]
    taking = sum(child.takes_clients for child in status.children)
    others = len(status.children) - taking
    reports = status.reports()
    script = printable(os.path.basename(master.script)) or "service"
    parts = [
        f"{script}: {printable(master.state) or 'running'}",
        f"{len(accepting)} of {taking} processes accept clients",
    ]
    if others:
        well = sum(not child.takes_clients for child in ready)
        parts[-1] += f", {well} of {others} others are ready"
    if master.pid:
        up = f", up {units.span(now - master.started)}" if master.started else ""
        parts.append(f"master {master.pid}{up}")
    if reports:
        parts.append(f"lineman {printable(reports[0].version)} ({_build(reports)})")
    return "; ".join(parts)


def _drain(status: Status, now: float) -> list[str]:
    """The drain under way in one line; none without one."""
    master = status.master
    if not master.drain_share:
        return []
    total = sum(report.drain_total for report in status.reports())
    asked = sum(report.drain_asked for report in status.reports())
    left = f", the last one in {units.span(master.drain_ends - now)}" if asked < total else ""
    line = f"drain: {asked} of {total} clients were asked to connect again{left}"
    return [f"{line}; new ones get 503" if status.is_draining else line]


def _build(reports: Sequence[ProcessReport]) -> str:
    compiled = sum(report.compiled for report in reports)
    if compiled in (0, len(reports)):
        return "compiled" if compiled else "pure Python"
    return f"compiled in {compiled} of {len(reports)}"


def state_of(child: ChildStatus) -> str:
    """The state in a word; `busy` for a process that did not answer although it should."""
    return "busy" if child.report is None and child.is_ready else child.state


def _row(child: ChildStatus, now: float) -> list[str]:
    known = [child.worker, str(child.slot), str(child.pid or "-"), state_of(child)]
    report = child.report
    if report is None:
        return [*known, *[""] * (len(COLUMNS) - 5), str(child.restarts)]
    return [
        *known,
        units.span(now - report.started),
        units.share(report.cpu),
        units.size(report.pss or report.rss),
        *(_figures([report]) if child.takes_clients else [""] * 8),
        units.delay(report.worst_lag),
        str(report.send_failures + report.dropped),
        str(report.exceptions),
        str(child.restarts),
    ]


def _figures(reports: Sequence[ProcessReport]) -> list[str]:
    rates = sum((report.rates for report in reports), Traffic())
    totals = sum((report.totals for report in reports), Traffic())
    return [
        str(sum(report.connections for report in reports)),
        str(sum(report.handshakes for report in reports)),
        units.number(rates.messages_in),
        units.number(rates.messages_out),
        units.size(rates.bytes_in),
        units.size(rates.bytes_out),
        units.number(totals.messages_in),
        units.number(totals.messages_out),
    ]


def _total(status: Status) -> list[str]:
    reports = status.reports()
    return [
        "total",
        "",
        "",
        "",
        "",
        units.share(sum(report.cpu for report in reports)),
        units.size(sum(report.pss or report.rss for report in reports)),
        *_figures(reports),
        units.delay(max((report.worst_lag for report in reports), default=0.0)),
        str(sum(report.send_failures + report.dropped for report in reports)),
        str(sum(report.exceptions for report in reports)),
        str(sum(child.restarts for child in status.children)),
    ]


def _inner(status: Status) -> list[str]:
    """A line for each worker that a program has started inside of another one."""
    return [
        f"{printable(child.worker)} #{child.slot}: also listens on {_about(inner)}"
        for child in status.children
        if child.report is not None
        for inner in child.report.inner
    ]


def _about(inner: Inner) -> str:
    told = [_counted(inner.connections, "connection")]
    if inner.messages:
        told.append(f"{_counted(inner.messages, 'message')} in")
    if inner.requests:
        told.append(_counted(inner.requests, "plain request"))
    name = f" ({printable(inner.name)})" if inner.name else ""
    return f"{printable(inner.url)}{name}: {', '.join(told)}"


def _counted(count: float, what: str) -> str:
    return f"{units.number(count)} {what}{'' if count == 1 else 's'}"


def _facts(status: Status) -> list[str]:
    """Further figures of each process; zeros are left out."""
    lines = []
    for child in status.children:
        facts = {} if child.report is None else child.report.facts
        told = [
            f"{printable(name).replace('_', ' ')} {float(figure):g}"
            for name, figure in facts.items()
            if figure
        ]
        if told:
            lines.append(f"{printable(child.worker)} #{child.slot}: {', '.join(told)}")
    return lines


def _requests(status: Status) -> list[str]:
    """A line for each worker that has answered plain requests."""
    counts = {
        worker: sum(report.requests for report in status.reports(worker))
        for worker in status.workers()
    }
    return [
        f"{printable(worker)}: answered {units.number(count)} plain requests"
        for worker, count in counts.items()
        if count
    ]


def _hits(status: Status) -> list[str]:
    """A line for each worker whose limits have refused a client."""
    lines = []
    for worker in status.workers():
        counts: Counter[str] = Counter()
        for report in status.reports(worker):
            counts.update(report.hits)
        if counts:
            found = ", ".join(f"{printable(name)} {n} ×" for name, n in counts.most_common())
            lines.append(f"{printable(worker)}: limits that were reached: {found}")
    return lines


def _restarts(status: Status) -> list[str]:
    return [
        f"{printable(child.worker)} #{child.slot}: restarted {_times(child.restarts)}, "
        f"last because: {printable(child.last_cause)}"
        for child in status.children
        if child.restarts and child.last_cause
    ]


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _certificates(status: Status, now: float) -> list[str]:
    """A line for each certificate of each worker, also where its processes serve several."""
    lines: dict[tuple[str, ...], str] = {}
    for child in status.children:
        if child.report is None:
            continue
        worker = printable(child.worker)
        for certificate in child.report.certificates:
            key = (child.worker, certificate.serial, certificate.error)
            lines.setdefault(key, f"{worker}: {_certificate(certificate, now)}")
        if child.report.unlisted:
            text = f"{worker}: and {child.report.unlisted} certificates more, which expire later"
            lines.setdefault((child.worker,), text)
    return [*lines.values(), *_unknown_names(status)]


def _unknown_names(status: Status) -> list[str]:
    """A line for each worker whose clients ask for names that it has no certificate for."""
    counts: dict[str, int] = {}
    for child in status.children:
        if child.report is not None and child.report.unknown_names:
            counts[child.worker] = counts.get(child.worker, 0) + child.report.unknown_names
    return [
        f"{printable(worker)}: clients asked {count} × for a name that no certificate has"
        for worker, count in counts.items()
    ]


def _certificate(certificate: Certificate, now: float) -> str:
    names = [printable(name) for name in certificate.names]
    called = ", ".join(names[:3]) or printable(certificate.subject)
    if len(names) > 3:
        called += f" and {len(names) - 3} more"
    left = certificate.expires - now
    when = f"in {left / DAY:.0f} days" if left >= 2 * DAY else f"in {units.span(left)}"
    ends = f"expires {units.date(certificate.expires)}, {when}"
    if left < 0:
        ends = f"EXPIRED {units.date(certificate.expires)}, {units.span(-left)} ago"
    loaded = f", loaded {units.date(certificate.loaded)}" if certificate.loaded else ""
    error = f"; {printable(certificate.error)}" if certificate.error else ""
    return (
        f"certificate for {called}, serial {printable(certificate.serial)}, {ends}{loaded}{error}"
    )
