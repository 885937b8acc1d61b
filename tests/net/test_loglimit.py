from __future__ import annotations

import logging

import pytest

from lineman.net.loglimit import LINES, WINDOW, LogLimit

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
    assert caplog.messages == ["3 more lines were left out: refused handshakes", "a line"]


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
