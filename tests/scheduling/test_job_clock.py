"""When a job is due: next times, overlap, handover and clocks that somebody sets. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from lineman.scheduling.cron_line import CronLine
from lineman.scheduling.job_clock import LONG, LOOK, Interval, JobClock, JobDecision, Moment

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()
RUN = JobDecision(True)


def at(seconds: float, wall: float | None = None) -> Moment:
    """Seconds after the beginning, on both clocks."""
    return Moment(5000.0 + seconds, NOON + (seconds if wall is None else wall))


def minutely(inherited: float | None = None) -> JobClock:
    return JobClock(CronLine("* * * * *", "UTC"), at(0.5), inherited)


# Next times.


def test_an_interval_is_due_after_its_seconds_and_again_and_again() -> None:
    clock = JobClock(Interval(10), at(0))
    assert clock.wait(at(4)) == 6
    assert clock.decide(at(9.9998), False) == JobDecision()
    assert clock.decide(at(10), False) == RUN
    assert clock.wait(at(10)) == 10
    assert clock.decide(at(20.5), False) == RUN
    assert clock.wait(at(20.5)) == 9.5


def test_what_woke_too_early_thrice_runs_once() -> None:
    clock = minutely()
    seen = [clock.decide(at(moment), False) for moment in (59.9997, 59.9998, 59.9999, 60, 60.0001)]
    assert [each.runs for each in seen] == [False, False, False, True, False]


def test_late_runs_come_once_and_the_others_are_counted() -> None:
    clock = JobClock(Interval(1), at(0))
    assert clock.decide(at(4.5), False) == JobDecision(True, 3)
    assert clock.wait(at(4.5)) == 0.5
    cron = minutely()
    assert cron.decide(at(200), False) == JobDecision(True, 2)
    assert cron.due == NOON + 240


@pytest.mark.parametrize("seconds", [0.1, 0.001, 1 / 3, 7.7])
def test_the_steps_of_an_interval_do_not_drift(seconds: float) -> None:
    clock = JobClock(Interval(seconds), at(0))
    for _ in range(1000):
        now = Moment(clock.due, 0.0)
        assert clock.decide(now, False).runs
        assert clock.due > now.running
    assert clock.due == pytest.approx(5000 + 1001 * seconds)


def test_a_sleeping_job_looks_at_the_clock_of_the_wall_again_soon() -> None:
    assert JobClock(CronLine("0 0 1 1 *", "UTC"), at(0)).wait(at(0)) == LOOK
    assert JobClock(Interval(1e7), at(0)).wait(at(0)) == LONG


# Overlap.


def test_a_run_is_left_out_while_the_one_before_goes_on() -> None:
    clock = JobClock(Interval(1), at(0))
    assert clock.decide(at(1), False) == RUN
    assert clock.decide(at(2), True) == JobDecision(False, 1)
    assert clock.decide(at(4.5), True) == JobDecision(False, 2)
    assert clock.decide(at(5), False) == RUN


# Handover.


def test_the_next_process_goes_on_with_the_due_times_of_the_one_before() -> None:
    old = JobClock(Interval(10), at(0))
    assert old.decide(at(10), False) == RUN
    new = JobClock(Interval(10), at(13), old.due)
    assert new.wait(at(13)) == 7
    assert new.decide(at(20), False) == RUN


def test_what_came_due_in_between_runs_once_in_the_next_process() -> None:
    old = JobClock(Interval(10), at(0))
    new = JobClock(Interval(10), at(12), old.due)
    assert new.wait(at(12)) == 0
    assert new.decide(at(12), False) == RUN
    assert new.wait(at(12)) == 8
    cron = minutely()
    after = JobClock(CronLine("* * * * *", "UTC"), at(61), cron.due)
    assert after.decide(at(61), False) == RUN
    assert after.due == NOON + 120


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, -5.0, 0.0, 1e300])
def test_garbage_of_the_process_before_is_not_used(garbage: float) -> None:
    assert JobClock(Interval(10), at(0), garbage).due == 5010
    assert minutely(garbage).due == NOON + 60


def test_a_time_that_the_job_cannot_have_left_is_not_used() -> None:
    assert JobClock(Interval(10), at(0), 5010.5).due == 5010
    assert minutely(NOON + 120).due == NOON + 60
    assert minutely(NOON - 4 * 3600).due == NOON + 60


# Clocks that somebody sets.


def test_a_clock_that_is_set_back_by_an_hour_runs_nothing_twice() -> None:
    clock = minutely()
    assert clock.decide(at(60), False) == RUN
    for minute in range(60):
        assert clock.decide(at(61 + 60 * minute, 60 * minute - 3540), False) == JobDecision()
    assert clock.decide(at(3720, 120), False) == RUN


def test_a_clock_that_is_set_forward_by_an_hour_runs_what_was_passed_over_once() -> None:
    clock = JobClock(CronLine("30 12 * * *", "UTC"), at(0))
    assert clock.decide(at(1, 3600), False) == RUN
    assert clock.decide(at(2, 3601), False) == JobDecision()


@pytest.mark.parametrize("jump", [-4 * 3600.0, 4 * 3600.0, 1e9, -1e9])
def test_a_clock_that_was_wrong_by_hours_begins_anew(jump: float) -> None:
    clock = minutely()
    assert clock.decide(at(1, 1 + jump), False) == JobDecision(is_new_time=True)
    assert 0 < clock.due - (NOON + 1 + jump) <= 60
    assert clock.decide(at(2, 2 + jump), False) == JobDecision()
    assert clock.decide(at(62, 62 + jump), False).runs


def test_an_interval_does_not_know_the_clock_of_the_wall() -> None:
    clock = JobClock(Interval(10), at(0))
    assert clock.decide(at(1, 1e6), False) == JobDecision()
    assert clock.decide(at(10, -1e6), False) == RUN
