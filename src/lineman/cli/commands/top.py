"""`lineman top`: the processes and the clients of a running program, live in the terminal.

It asks again for each picture, so it also shows a service that has restarted in between.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lineman.cli.commands import connections as clients
from lineman.cli.commands import status as processes
from lineman.cli.shared import colour, program_target
from lineman.cli.shared.program_target import Ask
from lineman.cli.shared.table import cut, printable
from lineman.cli.shared.waking import woken_by_signals
from lineman.errors import LinemanError, UsageError
from lineman.process.master.handoff import Handoff
from lineman.process.messages.connection_rows import SORTS, FoundRows, Selection, merge
from lineman.process.messages.process_status import Status

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

ALTERNATE, NORMAL = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"

QUIT = frozenset("q\x03\x04\x1b")  # q, Ctrl-C, Ctrl-D, Esc


@dataclass(frozen=True, slots=True)
class View:
    """What is shown.

    Attributes:
        sort: of the clients.
        interval: seconds between two pictures.
    """

    sort: str = "messages"
    reverse: bool = False
    interval: float = 2.0


@dataclass(frozen=True, slots=True)
class Picture:
    """The answer of the service; `error` says why there is none."""

    status: Status | None = None
    found: FoundRows | None = None
    error: str = ""


def pressed(view: View, key: str) -> View | None:
    """The view after a key; None for a key that quits."""
    sorts = list(SORTS)
    if key in QUIT:
        return None
    if key == "s":
        return replace(view, sort=sorts[(sorts.index(view.sort) + 1) % len(sorts)])
    if key == "r":
        return replace(view, reverse=not view.reverse)
    if key in "+-":
        slower = [each for each in INTERVALS if each > view.interval]
        faster = [each for each in INTERVALS if each < view.interval]
        near = slower[:1] if key == "+" else faster[-1:]
        return replace(view, interval=near[0]) if near else view
    return view


def screen(picture: Picture, view: View, now: float, width: int, height: int) -> list[str]:
    """The lines of the terminal, as many as it has at most.

    Args:
        picture: what the service said.
        view: what to show of it.
        now: seconds since 1970.
        width: cells of a line.
        height: lines.
    """
    order = f"{view.sort}{', reversed' if view.reverse else ''}"
    keys = f"q quits, s sorts (by {order}), r reverses, + and - change {view.interval:g}s"
    room = max(0, height - 1)
    if picture.status is None or picture.found is None:
        body = [f"trying again: {printable(picture.error)}"]
    else:
        body = _process_lines(picture.status, now, width, max(4, room // 2))
        shown = max(0, room - len(body) - 3)
        body += ["", *clients.lines_of(picture.found.rows[:shown], now, width)]
        body.append(clients.summary(replace(picture.found, rows=picture.found.rows[:shown])))
    return [cut(line, width) for line in [*body[:room], keys]]


def _process_lines(status: Status, now: float, width: int, room: int) -> list[str]:
    lines = processes.render(status, now, width)
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], f"and {len(lines) - room + 1} more lines: see status"]


def look(ask: Ask, view: View, rows: int) -> Picture:
    """Asks the service for the next picture; an error becomes part of it."""
    selection = Selection(sort=view.sort, reverse=view.reverse, limit=max(1, rows))
    try:
        status = Status.from_json(ask("status", {}))
        return Picture(status, merge(ask("connections", selection.to_json()), selection))
    except (LinemanError, OSError, ValueError) as error:
        return Picture(error=str(error))


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], handoff: Handoff | None = None
) -> None:
    """Adds the command and its options."""
    made = program_target.add_command(
        commands,
        "top",
        handoff,
        lambda options: show(options, program_target.of(options).inquire),
        "show processes and clients, live",
    )
    add_options(made)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    add("--interval", type=float, default=2.0, metavar="SECONDS", help="(default: 2)")
    add(
        "--sort",
        choices=[*SORTS],
        default="messages",
        help="sort the clients by this column (default: messages)",
    )


def show(options: argparse.Namespace, ask: Ask) -> int:
    """Shows the program until a key quits, and returns the exit status.

    Raises:
        UsageError: there is no terminal, or the interval is invalid.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("top needs a terminal; elsewhere use status --json")
    if not 0.1 <= options.interval <= 3600:
        raise UsageError(f"--interval is {options.interval:g}; give 0.1 to 3600 seconds")
    view: View | None = View(sort=options.sort, interval=options.interval)
    with woken_by_signals() as alarm, _terminal():
        while view is not None:
            width, height = shutil.get_terminal_size()
            picture = look(ask, view, height)
            _draw(screen(picture, view, time.time(), width, height))
            view = _wait(view, alarm)
    return 0


def _wait(view: View, alarm: int) -> View | None:
    """The view after the first key; the same view after the interval or a change of the size."""
    ready = select.select([sys.stdin, alarm], [], [], view.interval)[0]
    if alarm in ready:
        os.read(alarm, 4096)
    if sys.stdin not in ready:
        return view
    keys = os.read(sys.stdin.fileno(), 64).decode(errors="replace")
    if not keys:
        return None  # the terminal is gone
    if keys.startswith("\x1b") and len(keys) > 1:
        return view  # an arrow, or another key that is several bytes
    for key in keys:
        changed = pressed(view, key)
        if changed is None:
            return None
        view = changed
    return view


def _draw(lines: list[str]) -> None:
    if colour.is_wanted():
        lines = colour.paint(lines)
    text = f"{END_OF_LINE}\r\n".join(lines)
    sys.stdout.write(f"{HOME}{text}{END_OF_LINE}{END_OF_SCREEN}")
    sys.stdout.flush()


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """Turns off the terminal's echo and line mode, and restores both in any case.

    The handler of SIGWINCH does nothing: it only wakes the loop, which draws the new size.
    """
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    handlers = {
        signal.SIGWINCH: lambda *_: None,
        signal.SIGTERM: _leave,
        signal.SIGHUP: _leave,
    }
    former = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        tty.setcbreak(keyboard)
        mode = termios.tcgetattr(keyboard)
        mode[3] &= ~termios.ISIG  # Ctrl-C is a key, so that the terminal is restored at the end
        termios.tcsetattr(keyboard, termios.TCSANOW, mode)
        sys.stdout.write(ALTERNATE)
        yield
    finally:
        with contextlib.suppress(OSError, termios.error):
            sys.stdout.write(NORMAL)
            sys.stdout.flush()
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        for number, handler in former.items():
            signal.signal(number, handler)


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)
