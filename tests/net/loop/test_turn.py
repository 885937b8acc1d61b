"""How a turn is shared between connections, with a clock of the test's own."""

from __future__ import annotations

from lineman.net.loop.turn import (
    LATE,
    QUEUE_TIME,
    READY_SHARE_TIME,
    READY_TIME,
    SHARE_TIME,
    STEPS,
    Turn,
)


class Clock:
    """A clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def begun() -> tuple[Turn, Clock]:
    clock = Clock()
    turn = Turn(clock)
    turn.begin()
    turn.begin_share()
    return turn, clock


def test_a_share_ends_after_so_many_steps_however_quick_they_are() -> None:
    turn, _ = begun()
    assert [turn.spend() for _ in range(STEPS)] == [False] * (STEPS - 1) + [True]
    turn.begin_share()
    assert not turn.spend()


def test_a_share_ends_after_its_time_however_few_steps_there_were() -> None:
    turn, clock = begun()
    clock.now += READY_SHARE_TIME * 0.9
    assert not turn.spend()
    clock.now += READY_SHARE_TIME * 0.2
    assert turn.spend()
    turn.begin_queue()
    turn.begin_share()
    clock.now += SHARE_TIME * 0.9
    assert not turn.spend()
    clock.now += SHARE_TIME * 0.2
    assert turn.spend()


def test_of_a_hundred_who_have_much_to_do_at_once_the_last_waits_for_two_turns_at_most() -> None:
    turn, clock = begun()
    turns = 1
    for _ in range(100):
        if turn.is_over():
            turn.begin()
            turns += 1
        turn.begin_share()
        while not turn.spend():
            clock.now += 0.000_01
    assert turns <= 2


def test_one_step_is_had_also_where_the_turn_is_over() -> None:
    turn, clock = begun()
    clock.now += 10.0
    assert turn.is_over()
    turn.begin_queue()
    turn.begin_share()
    assert turn.spend()  # asked after the first step


def test_who_is_ready_and_who_was_put_off_have_a_time_each() -> None:
    turn, clock = begun()
    clock.now += READY_TIME * 0.9
    assert not turn.is_over()
    clock.now += READY_TIME * 0.2
    assert turn.is_over()
    turn.begin_queue()
    clock.now += QUEUE_TIME * 0.5
    assert not turn.is_over()
    clock.now += QUEUE_TIME * 0.5
    assert turn.is_over()


def test_time_that_nobody_needed_is_not_handed_on_to_those_who_were_put_off() -> None:
    turn, clock = begun()
    turn.begin_queue()
    clock.now += QUEUE_TIME * 1.1
    assert turn.is_over()


def test_a_late_first_half_shortens_the_second() -> None:
    turn, clock = begun()
    clock.now += READY_TIME + QUEUE_TIME  # the last callback took its time
    turn.begin_queue()
    assert turn.is_over()


def test_a_turn_is_late_when_a_callback_has_taken_far_too_long() -> None:
    turn, clock = begun()
    clock.now += LATE * 0.9
    assert turn.is_over()
    assert not turn.is_late()
    clock.now += LATE * 0.2
    assert turn.is_over()
    assert turn.is_late()
