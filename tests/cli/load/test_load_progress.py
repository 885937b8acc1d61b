"""The progress of a load test, on terminals and elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from lineman.cli.load.load_counts import LoadCounts
from lineman.cli.load.load_progress import PlainBar, ProgressLines, RichBar, choose, counted
from lineman.cli.websocket_client.failures import Failure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_was_counted_is_told_in_few_words() -> None:
    tally = LoadCounts()
    tally.opened = 12
    assert counted(tally) == "12 open"
    tally.count = 3456
    assert counted(tally) == "3,456 done"
    tally.fail(Failure("lost", "lost", "look"))
    assert counted(tally) == "3,456 done, 1 failed"


def test_a_pipe_gets_one_line_for_each_phase() -> None:
    stream = io.StringIO()
    progress = choose(stream)
    assert isinstance(progress, ProgressLines)
    for phase, done in (("opening", 0.1), ("opening", 0.9), ("echo", 0.5)):
        progress.show(phase, done, LoadCounts())
    progress.close()
    assert stream.getvalue() == "opening …\necho …\n"


def test_standard_error_is_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    choose().show("echo", 0.5, LoadCounts())
    assert capsys.readouterr() == ("", "echo …\n")


def test_a_terminal_without_rich_gets_a_plain_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    stream = Terminal()
    progress = choose(stream)
    assert isinstance(progress, PlainBar)
    progress.show("echo", 0.5, LoadCounts())
    assert "\r" in stream.getvalue()
    assert "echo" in stream.getvalue()
    assert "█" * 15 in stream.getvalue()
    assert " 50%" in stream.getvalue()
    progress.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_terminal_with_rich_gets_its_bar() -> None:
    stream = Terminal()
    progress = choose(stream)
    assert isinstance(progress, RichBar)
    progress.show("echo", 0.5, LoadCounts())
    progress.close()
    assert "echo" in stream.getvalue()
    assert "50%" in stream.getvalue()
