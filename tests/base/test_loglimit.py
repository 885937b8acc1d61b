from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineman.base.loglimit import LINES, REPEAT, TRACEBACKS, WINDOW, LogLimit, kind_of

Log = tuple[LogLimit, list[float], pytest.LogCaptureFixture]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    clock = [0.0]
    caplog.set_level(logging.INFO)
    return LogLimit(logging.getLogger("lineman.test"), lambda: clock[0]), clock, caplog


def test_ten_lines_of_a_kind_are_logged_in_a_minute_and_no_more(log: Log) -> None:
    limit, _, caplog = log
    for number in range(25):
        limit.log(logging.INFO, "refused handshakes", "line %d", number)
    assert caplog.messages == [f"line {number}" for number in range(LINES)]


def test_the_next_minute_says_how_many_were_left_out_and_logs_again(log: Log) -> None:
    limit, clock, caplog = log
    for _ in range(LINES + 3):
        limit.log(logging.WARNING, "refused handshakes", "a line")
    caplog.clear()
    clock[0] = WINDOW
    limit.log(logging.WARNING, "refused handshakes", "a line")
    assert caplog.messages == [
        "refused handshakes: 3 more times in the last 60 s",
        "a line",
    ]


def test_an_exception_is_counted_under_the_programs_line_and_not_under_a_frameworks(
    log: Log, tmp_path: Path
) -> None:
    limit, clock, caplog = log
    framework = tmp_path / "site-packages" / "framework.py"
    program = tmp_path / "main.py"
    places: dict[str, Any] = {}
    exec(compile("def call(function):\n    function()\n", framework, "exec"), places)
    exec(compile("def home():\n    raise ValueError('x')\n", program, "exec"), places)
    for _ in range(3):
        try:
            places["call"](places["home"])
        except ValueError as error:
            error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]
            limit.exception(error, "raised")
    clock[0] = 5.0
    limit.tell()
    assert caplog.messages[-1].startswith(f"ValueError at {program}:2 in home: 2 more times")


def test_nothing_is_said_of_lines_left_out_where_none_were(log: Log) -> None:
    limit, clock, caplog = log
    for _ in range(LINES):
        limit.log(logging.WARNING, "refused handshakes", "a line")
    caplog.clear()
    clock[0] = WINDOW
    limit.log(logging.WARNING, "refused handshakes", "a line")
    assert caplog.messages == ["a line"]


def test_kinds_do_not_count_against_each_other(log: Log) -> None:
    limit, _, caplog = log
    for _ in range(LINES + 3):
        limit.log(logging.INFO, "one kind", "one")
    limit.log(logging.INFO, "another kind", "another")
    assert caplog.messages[-1] == "another"


def test_the_level_is_kept(log: Log) -> None:
    limit, _, caplog = log
    limit.log(logging.ERROR, "a kind", "a line")
    assert caplog.records[0].levelno == logging.ERROR


def fall_over(depth: int = 0) -> None:
    if depth:
        fall_over(depth - 1)
    raise ValueError("what a stranger sent")


def fall_over_elsewhere() -> None:
    raise ValueError("what a stranger sent")


def raised_by(function: Callable[..., None], *args: object) -> Exception:
    try:
        function(*args)
    except Exception as error:
        return error
    raise AssertionError


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.exc_info is not None for record in caplog.records)


def test_the_same_traceback_is_logged_once_and_then_counted(log: Log) -> None:
    limit, clock, caplog = log
    for number in range(1235):
        limit.exception(raised_by(fall_over), "client %d: a callback raised", number)
    clock[0] = 10.0
    limit.tell()
    first, last = caplog.messages
    assert first == "client 0: a callback raised"
    assert tracebacks(caplog) == 1
    assert last.startswith("ValueError at ")
    assert last.endswith(" in raised_by: 1,234 more times in the last 10 s")


def test_exceptions_of_two_places_are_two_kinds(log: Log) -> None:
    limit, _, caplog = log
    for _ in range(3):
        limit.exception(raised_by(fall_over), "one")
    limit.exception(raised_by(fall_over_elsewhere), "another")
    assert caplog.messages == ["one", "another"]


def test_how_deep_a_recursion_went_makes_no_other_kind(log: Log) -> None:
    limit, _, caplog = log
    for depth in range(2, 50):  # nested input of a stranger
        limit.exception(raised_by(fall_over, depth), "a callback raised")
    assert tracebacks(caplog) == 1


def test_a_traceback_that_goes_on_is_shown_anew_every_hour(log: Log) -> None:
    limit, clock, caplog = log
    while clock[0] < REPEAT:
        limit.exception(raised_by(fall_over), "a callback raised")
        clock[0] += WINDOW / 2
    assert tracebacks(caplog) == 1
    limit.exception(raised_by(fall_over), "a callback raised")
    assert tracebacks(caplog) == 2


def test_a_traceback_that_comes_back_after_a_silence_is_shown_anew(log: Log) -> None:
    limit, clock, caplog = log
    limit.exception(raised_by(fall_over), "a callback raised")
    clock[0] = WINDOW
    limit.exception(raised_by(fall_over), "a callback raised")
    assert tracebacks(caplog) == 2


def test_of_very_many_different_tracebacks_most_are_named_only(log: Log) -> None:
    limit, _, caplog = log
    for number in range(10 * TRACEBACKS):
        source = "def f(): raise ValueError(1)"
        scope: dict[str, Callable[[], None]] = {}
        exec(compile(source, f"file{number}.py", "exec"), scope)
        limit.exception(raised_by(scope["f"]), "a callback raised")
    assert tracebacks(caplog) == TRACEBACKS
    assert len(caplog.messages) == TRACEBACKS + LINES
    assert "ValueError at " in caplog.messages[-1]


def test_what_was_left_out_is_told_soon_though_the_flood_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def flood() -> None:
        limit = LogLimit(logging.getLogger("lineman.test"), summary=0.01)
        for _ in range(LINES + 5):
            limit.log(logging.WARNING, "refused handshakes", "a line")
        while len(caplog.messages) == LINES:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(flood(), 10))
    assert caplog.messages[-1] == "refused handshakes: 5 more times in the last 1 s"


def test_a_line_that_a_stranger_has_made_long_is_cut(log: Log) -> None:
    limit, _, caplog = log
    limit.log(logging.INFO, "a kind", "refused: %s", "x" * 100_000)
    assert len(caplog.messages[0]) < 2000
    assert caplog.messages[0].endswith("… (100,009 characters)")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("HTTP/2 is not spoken here", "bad: HTTP/"),
        ("X-Forwarded-For holds 'evil', which", "bad: X-Forwarded-For holds"),
        ("12 Host headers", "bad"),
        ("the page https://evil.example is not", "bad: the page"),
    ],
)
def test_a_kind_ends_where_a_strangers_words_may_begin(text: str, kind: str) -> None:
    assert kind_of("bad", text) == kind
