"""A line of cron: mistakes are named, and it is due at the right moments, in summer time too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lineman import UsageError
from lineman.scheduling.cron_line import MAX_COUNTED, CronLine

BERLIN = ZoneInfo("Europe/Berlin")


def moment(text: str, zone: Any = UTC, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def coming(line: CronLine, since: float, count: int) -> list[str]:
    """The next moments, in the zone of Berlin."""
    found = []
    for _ in range(count):
        since = line.first(since)
        found.append(datetime.fromtimestamp(since, BERLIN).isoformat())
    return found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("61 * * * *", "the minute of .* is '61'; it may be 0 to 59"),
        ("* 24 * * *", "the hour of .* is '24'; it may be 0 to 23"),
        ("* * 0 * *", "the day-of-month of .* is '0'; it may be 1 to 31"),
        ("* * * 13 *", "the month of .* is '13'; it may be 1 to 12"),
        ("* * * * FUN", "the day-of-week of .* is 'FUN'; it may be 0 to 7"),
        ("60 * * * * *", "the second of .* is '60'; it may be 0 to 59"),
        ("*/0 * * * *", r"the minute of .* is '\*/0'"),
        ("5-1 * * * *", "the minute of .* is '5-1'"),
        (", * * * *", "the minute of .* is ','"),
        ("* * 1,L-3 * *", "the day-of-month of .* is '1,L-3'"),
        ("0 0 30 2 *", "is never due"),
        ("0 0 31 4,6 *", "is never due"),
        ("", "has 0 fields; write five fields"),
        ("* * * *", "has 4 fields; write five fields"),
        ("* * * * * * *", "has 7 fields"),
        ("@daily", "has 1 fields"),
        ("9" * 5000, "has 5000 characters"),
        ("* " * 5000, "has 9999 characters"),
        (None, "takes a line of cron, and got a NoneType"),
        (300, "takes a line of cron, and got a int"),
    ],
)
def test_a_mistake_is_named(line: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        CronLine(line, "UTC")
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "../etc/passwd", 8, "x" * 5000, "\0"])
def test_an_unknown_zone_is_refused_with_what_to_write(tz: Any) -> None:
    with pytest.raises(UsageError, match=r'tz=.* is no time zone.*"Asia/Ho_Chi_Minh"') as caught:
        CronLine("* * * * *", tz)
    assert len(str(caught.value)) < 400


def test_it_is_due_after_the_moment_and_not_at_it() -> None:
    line = CronLine("*/5 * * * *", "UTC")
    assert line.first(moment("2026-01-01T00:05:00")) == moment("2026-01-01T00:10:00")
    assert line.first(moment("2026-01-01T00:04:59.9998")) == moment("2026-01-01T00:05:00")
    assert line.first(moment("2026-01-01T00:05:00.0002")) == moment("2026-01-01T00:10:00")


def test_six_fields_have_the_second_first() -> None:
    line = CronLine("30 * * * * *", "UTC")
    assert line.first(moment("2026-01-01T00:00:31")) == moment("2026-01-01T00:01:30")


def test_zones_are_names_or_objects() -> None:
    for zone in ("Asia/Shanghai", timezone(timedelta(hours=8))):
        line = CronLine("0 3 * * *", zone)
        assert line.first(moment("2026-01-01T00:00:00")) == moment("2026-01-01T19:00:00")


def test_without_a_zone_it_is_the_machines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    line = CronLine("0 3 * * *")
    assert line.first(moment("2026-01-01T00:00:00")) == moment("2026-01-01T20:00:00")
    monkeypatch.setenv("TZ", "/usr/share/zoneinfo/Asia/Shanghai")
    line = CronLine("0 3 * * *")
    assert line.first(moment("2026-01-01T00:00:00")) == moment("2026-01-01T19:00:00")
    monkeypatch.delenv("TZ")
    assert CronLine("0 3 * * *").first(0.0) > 0


def test_an_hour_that_does_not_exist_runs_once_right_after_it() -> None:
    line = CronLine("30 2 * * *", "Europe/Berlin")  # on 2026-03-29 it is 3:00 after 1:59
    assert coming(line, moment("2026-03-28T12:00:00", BERLIN), 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_an_hour_that_comes_twice_runs_once() -> None:
    line = CronLine("30 2 * * *", "Europe/Berlin")  # on 2026-10-25 it is 2:00 after 2:59
    assert coming(line, moment("2026-10-24T12:00:00", BERLIN), 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    within = moment("2026-10-25T02:10:00", BERLIN, fold=1)
    assert coming(line, within, 1) == ["2026-10-26T02:30:00+01:00"]


def test_a_line_with_seconds_runs_once_too_when_summer_time_begins_and_ends() -> None:
    line = CronLine("15 30 2 * * *", "Europe/Berlin")
    assert coming(line, moment("2026-03-28T12:00:00", BERLIN), 2) == [
        "2026-03-29T03:00:15+02:00",
        "2026-03-30T02:30:15+02:00",
    ]
    assert coming(line, moment("2026-10-24T12:00:00", BERLIN), 2) == [
        "2026-10-25T02:30:15+02:00",
        "2026-10-26T02:30:15+01:00",
    ]
    within = moment("2026-10-25T02:10:00", BERLIN, fold=1)
    assert coming(line, within, 1) == ["2026-10-26T02:30:15+01:00"]


def test_steps_go_on_through_the_change_of_summer_time() -> None:
    line = CronLine("*/20 * * * *", "Europe/Berlin")
    for night in ("2026-03-29T00:00:00", "2026-10-25T00:00:00"):
        since = moment(night, BERLIN)
        moments = [since]
        for _ in range(30):
            moments.append(line.first(moments[-1]))
        assert {after - before for before, after in pairwise(moments)} == {1200.0}


def test_missed_moments_are_counted() -> None:
    line = CronLine("* * * * *", "UTC")
    due = moment("2026-01-01T00:01:00")
    assert line.following(due, due) == (due + 60, 0)
    assert line.following(due, due + 59) == (due + 60, 0)
    assert line.following(due, due + 60) == (due + 120, 1)
    assert line.following(due, due + 601) == (due + 660, 10)
    coming, missed = line.following(due, due + 86400.0 * 365)
    assert coming > due + 86400.0 * 365
    assert missed == MAX_COUNTED
