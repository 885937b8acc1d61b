"""When the messages of a rate are due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineman.cli.load.rate_schedule import SECOND, Schedule


def test_the_first_is_due_at_once_and_the_others_one_interval_apart() -> None:
    schedule = Schedule(1000, start=5_000)
    assert [schedule.intended(number) for number in range(3)] == [5_000, 1_005_000, 2_005_000]


def test_what_became_due_is_given_once() -> None:
    schedule = Schedule(10, start=0)
    assert schedule.due(0) == range(1)
    assert schedule.due(SECOND // 2) == range(1, 6)
    assert schedule.due(SECOND // 2) == range(6, 6)
    assert schedule.due(SECOND) == range(6, 11)


def test_nothing_is_due_before_the_start() -> None:
    schedule = Schedule(10, start=SECOND)
    assert not schedule.due(SECOND - 1)
    assert schedule.next_due == SECOND


def test_after_a_long_pause_everything_that_was_missed_is_due() -> None:
    schedule = Schedule(1000, start=0)
    schedule.due(0)
    assert len(schedule.due(10 * SECOND)) == 10_000


def test_the_next_is_the_first_that_was_not_given() -> None:
    schedule = Schedule(4, start=0)
    assert schedule.next_due == 0
    schedule.due(0)
    assert schedule.next_due == SECOND // 4


@given(st.floats(0.01, 1e7), st.lists(st.integers(0, 10 * SECOND), max_size=8))
def test_at_any_rate_what_is_given_is_due_and_what_is_not_given_is_not(
    rate: float, moments: list[int]
) -> None:
    schedule = Schedule(rate, start=0)
    expected = 0
    for now in sorted(moments):
        due = schedule.due(now)
        assert due.start == expected
        expected = due.stop
        if due:
            assert schedule.intended(due[-1]) <= now
        assert schedule.next_due >= now
