"""`top`: pictures from values, and the command on a real terminal."""

from __future__ import annotations

import fcntl
import re
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.screen import Screen
from lineman.cli.commands import top
from lineman.cli.commands.top import Picture, View, look, pressed, screen
from lineman.cli.shared.table import width_of
from lineman.errors import ConfigError
from lineman.process.messages.connection_rows import FoundRows, Row
from lineman.process.messages.process_status import ChildStatus, MasterStatus, ProcessReport, Status

NOW = 1_800_000_000.0
CHILD = ChildStatus("chat", 0, 11, "ready", 0, "", ProcessReport(worker="chat", started=NOW - 60))
STATUS = Status(MasterStatus(10, NOW - 90, "running", "app.py"), (CHILD,))
ROWS = tuple(Row(id=number, ip="10.0.0.1", state="open", since=NOW) for number in range(1, 51))
FOUND = FoundRows(ROWS, 500, 500, ())


@pytest.mark.parametrize("width", [20, 80, 132])
@pytest.mark.parametrize("height", [1, 2, 5, 10, 24, 60])
def test_a_picture_fits_any_terminal(width: int, height: int) -> None:
    children = tuple(replace(CHILD, slot=slot) for slot in range(30))
    lines = screen(Picture(replace(STATUS, children=children), FOUND), View(), NOW, width, height)
    assert len(lines) <= height
    assert all(width_of(line) <= width for line in lines)
    assert lines[-1].startswith("q quits")


def test_a_picture_has_the_processes_the_first_clients_and_the_keys() -> None:
    lines = screen(Picture(STATUS, FOUND), View("idle", True), NOW, 120, 24)
    assert lines[0].startswith("app.py: running")
    assert lines[3].split()[:4] == ["chat", "0", "11", "ready"]
    assert lines[5].startswith("WORKER") or "CLIENT" in lines[5]
    assert sum(" 10.0.0.1 " in line for line in lines) == 24 - 1 - 4 - 3
    assert lines[-2].startswith("16 of 500 connections")
    assert lines[-1] == "q quits, s sorts (by idle, reversed), r reverses, + and - change 2s"


def test_many_processes_leave_half_of_the_terminal_to_the_clients() -> None:
    children = tuple(replace(CHILD, slot=slot) for slot in range(30))
    lines = screen(Picture(replace(STATUS, children=children), FOUND), View(), NOW, 120, 24)
    assert lines[10] == "and 24 more lines: see status"
    assert any("CLIENT" in line for line in lines)


def test_a_service_that_is_gone_is_told_and_asked_again() -> None:
    def ask(*_: object) -> dict[str, Any]:
        raise ConfigError("app.py is not running", "python app.py start")

    lines = screen(look(ask, View(), 10), View(), NOW, 120, 24)
    assert lines[0] == "trying again: app.py is not running; fix: python app.py start"


@pytest.mark.parametrize("error", [OSError("broken pipe"), ValueError("cut in the middle")])
def test_a_connection_that_breaks_in_the_middle_is_told(error: Exception) -> None:
    def ask(*_: object) -> dict[str, Any]:
        raise error

    assert look(ask, View(), 10).error == str(error)


def test_keys_change_what_is_shown() -> None:
    view = View(sort="id", interval=2.0)
    assert pressed(view, "s") == replace(view, sort="age")
    assert pressed(replace(view, sort="ip"), "s") == view
    assert pressed(view, "r") == replace(view, reverse=True)
    assert pressed(view, "+") == replace(view, interval=5.0)
    assert pressed(view, "-") == replace(view, interval=1.0)
    assert pressed(replace(view, interval=0.5), "-") == replace(view, interval=0.5)
    assert pressed(replace(view, interval=30.0), "+") == replace(view, interval=30.0)
    assert pressed(view, "x") == view
    for key in "q\x03\x04\x1b":
        assert pressed(view, key) is None


# On a terminal.

SCRIPT = """
    import argparse, sys
    from pathlib import Path
    from lineman.cli.commands import top
    from lineman.errors import ConfigError
    from lineman.process.messages.connection_rows import COLUMNS
    from lineman.process.messages.process_status import ProcessReport

    up = Path(sys.argv[1])

    def ask(command, arguments):
        if not up.exists():
            raise ConfigError("app.py is not running", "start it")
        if command == "connections":
            answer = {"columns": COLUMNS, "rows": [], "matching": 0, "total": 7}
        else:
            answer = ProcessReport(connections=7).to_json()
        child = {"worker": "chat", "pid": 5, "state": "ready", "answer": answer}
        return {"master": {"script": "app.py", "state": "running"}, "children": [child]}

    parser = argparse.ArgumentParser()
    top.add_options(parser)
    sys.exit(top.show(parser.parse_args(sys.argv[2:]), ask))
"""


@pytest.fixture
def up(tmp_path: Path) -> Path:
    """The service runs while this file is there."""
    file = tmp_path / "up"
    file.touch()
    return file


@pytest.fixture
def shown(tmp_path: Path, up: Path) -> Iterator[Callable[..., Screen]]:
    script = tmp_path / "show.py"
    script.write_text(textwrap.dedent(SCRIPT))
    screens: list[Screen] = []

    def show(*words: str) -> Screen:
        screens.append(Screen([sys.executable, script, up, *words]))
        return screens[-1]

    yield show
    for each in screens:
        each.close()


def test_it_shows_the_service_until_q_and_leaves_the_terminal_as_it_was(
    shown: Callable[..., Screen],
) -> None:
    screen = shown("--interval", "30")
    screen.wait_for(top.ALTERNATE)
    screen.wait_for("app.py: running")
    screen.wait_for("sorts (by messages)")
    screen.press("s")  # at once, and not after the interval
    screen.wait_for("sorts (by bytes)")
    screen.press("r")
    screen.wait_for("sorts (by bytes, reversed)")
    screen.press("\x1b[A")  # an arrow is not Esc
    screen.wait_for("app.py: running")
    screen.press("q")
    assert screen.ended() == 0
    assert screen.output.endswith(top.NORMAL)


def test_a_service_that_restarts_underneath_comes_back(
    shown: Callable[..., Screen], up: Path
) -> None:
    screen = shown("--interval", "0.1")
    screen.wait_for("app.py: running")
    up.unlink()
    screen.wait_for("trying again: app.py is not running; fix: start it")
    up.touch()
    screen.wait_for("app.py: running")
    screen.press("\x03")
    assert screen.ended() == 0
    assert screen.output.endswith(top.NORMAL)


def test_another_size_is_drawn_at_once(shown: Callable[..., Screen]) -> None:
    screen = shown("--interval", "30")
    screen.wait_for("change 30s")
    fcntl.ioctl(screen.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    screen.process.send_signal(signal.SIGWINCH)  # which its own terminal would send
    screen.wait_for("app.py: running; 1 of 1 processes accep…")
    screen.press("q")
    assert screen.ended() == 0
    assert screen.output.endswith(top.NORMAL)


def test_killed_in_order_it_leaves_the_terminal_as_it_was(shown: Callable[..., Screen]) -> None:
    screen = shown("--interval", "30")
    screen.wait_for("change 30s")
    screen.process.send_signal(signal.SIGTERM)
    assert screen.ended() == 128 + signal.SIGTERM


def test_without_a_terminal_it_says_what_to_use(tmp_path: Path, up: Path) -> None:
    script = tmp_path / "show.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, script, up], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert re.search(r"UsageError: top needs a terminal; elsewhere use status --json", done.stderr)


@pytest.mark.parametrize("interval", ["0", "-1", "1e9", "nan"])
def test_an_interval_that_is_none_is_told(shown: Callable[..., Screen], interval: str) -> None:
    screen = shown(f"--interval={interval}")
    screen.wait_for("give 0.1 to 3600 seconds")
