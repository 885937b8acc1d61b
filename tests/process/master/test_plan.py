"""The master's decisions: tables of events and the actions that follow."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from kit.stories import ADDRESS, RULES, Story, running, seat, seats
from lineman.process.master.model import (
    Action,
    Beat,
    CommandOutcome,
    Drain,
    Ended,
    Event,
    Exit,
    Failed,
    Grown,
    Kill,
    Phase,
    Ready,
    Reload,
    Remove,
    Renew,
    Stage,
    Start,
    Stop,
    StopNow,
    StoppedAccepting,
    Woke,
)
from lineman.process.master.plan import MAX_QUICK_FAILURES, QUICK, RENEW_AGAIN, SIDE_BY_SIDE

# Starting.


def test_every_seat_gets_a_process_and_all_must_be_ready() -> None:
    story = Story(seat(0), seat(1))
    assert story.at(0) == [Start(1, (ADDRESS, 0, 0)), Start(2, (ADDRESS, 0, 1))]
    assert story.at(0.5, Ready(2)) == []
    assert story.at(0.6, Ready(1)) == [CommandOutcome("start", True, "ready: 2 processes")]
    assert story.at(0.7) == []


def test_one_that_cannot_start_ends_the_whole_with_its_reason() -> None:
    story = Story(seat(0), seat(1))
    story.at(0)
    story.at(1, Ready(1))
    actions = story.at(2, Failed(2, "no database"), Ended(2, "exit status 1"))
    (outcome, order) = actions
    assert isinstance(outcome, CommandOutcome)
    assert not outcome.ok
    assert "chat #1" in outcome.text
    assert "no database" in outcome.text
    assert order == StopNow(1, 5)
    assert story.at(3, Ended(1, "exit status 0")) == [Exit(1)]


def test_one_that_is_never_ready_is_killed() -> None:
    story = Story(seat())
    story.at(0)
    assert story.at(50, Beat(1)) == []
    (kill,) = story.at(60, Beat(1))
    assert isinstance(kill, Kill)
    assert "start_timeout" in kill.why
    assert isinstance(story.at(61, Ended(1, "signal 9"))[0], CommandOutcome)


# Crashes.


def test_a_process_that_ran_long_is_restarted_at_once() -> None:
    story = running()
    assert story.at(1 + QUICK, Ended(1, "signal 9")) == [Start(2, (ADDRESS, 0, 0))]
    assert "signal 9; it is restarted" in story.said[0]
    assert story.service.seats[0].restarts == 1
    assert story.service.seats[0].last_cause == "signal 9"


def test_quick_failures_wait_longer_each_time() -> None:
    story = running(2)
    now, waits = 2.0, []
    for number in range(3, 3 + MAX_QUICK_FAILURES - 1):
        last = max(story.service.seats[0].processes, key=lambda each: each.number).number
        assert story.at(now, Ended(last, "exit status 1"), Beat(2)) == []
        due = story.service.seats[0].start_at
        assert due is not None
        waits.append(due - now)
        assert story.at(due, Beat(2)) == [Start(number, (ADDRESS, 0, 0))]
        now = due + 0.1
    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0]


def fail_again_and_again(story: Story) -> list[Action]:
    """The actions of the failure that is one too many; the first seat's process fails."""
    now, actions = 2.0, []
    for _ in range(MAX_QUICK_FAILURES):
        number = story.service.seats[0].processes[-1].number
        actions = story.at(now, Ended(number, "exit status 3"))
        due = story.service.seats[0].start_at
        if due is not None:
            now = due
            if story.service.seats[0].failures < MAX_QUICK_FAILURES:
                story.at(now, *(Beat(number) for number in story.stages()))
                now += 0.1
    return actions


def test_too_many_quick_failures_of_the_only_process_stop_the_service() -> None:
    story = running()
    assert fail_again_and_again(story) == [Exit(1)]
    assert f"exit status 3, {MAX_QUICK_FAILURES} times in a row" in story.said[0]


def test_too_many_quick_failures_of_one_among_several_leave_the_others() -> None:
    story = running(2)
    assert fail_again_and_again(story) == []
    assert "the next try is in 15 s" in story.said[0]
    assert story.stages() == {2: Stage.READY}
    assert story.service.phase is Phase.RUNNING


def test_time_between_crashes_forgives() -> None:
    story = running()
    story.at(2, Ended(1, "signal 9"))
    assert story.service.seats[0].failures == 1
    story.at(3)
    story.at(100, Beat(2), Ended(2, "signal 9"))
    assert story.service.seats[0].failures == 0


# The watchdog.


def test_a_process_that_hangs_is_killed_and_replaced() -> None:
    story = running()
    assert story.at(30, Beat(1)) == []
    assert story.at(59) == []
    (kill,) = story.at(60)
    assert isinstance(kill, Kill)
    assert "hung for 30 s" in kill.why
    assert story.at(60.1, Ended(1, "signal 9 (SIGKILL)")) == [Start(2, (ADDRESS, 0, 0))]
    assert "hung for 30 s" in story.service.seats[0].last_cause


def test_a_process_that_starts_slowly_does_not_hang() -> None:
    rules = replace(RULES, watchdog_timeout=5, start_timeout=60)
    story = Story(replace(seat(), rules=rules))
    story.at(0)
    assert story.at(59) == []
    (kill,) = story.at(60)
    assert isinstance(kill, Kill)
    assert "not ready after 60 s" in kill.why


def test_without_a_watchdog_silence_is_fine() -> None:
    story = Story(replace(seat(), rules=replace(RULES, watchdog_timeout=0))).running()
    assert story.at(1e6) == []
    assert story.service.next_deadline() is None


def test_a_master_that_was_stopped_itself_blames_nobody() -> None:
    story = running()
    assert story.at(1000, Woke()) == []
    assert story.service.next_deadline() == 1030


# Reloading.


def test_a_reload_starts_the_new_before_it_retires_the_old() -> None:
    story = running()
    assert story.at(10, seats(1)) == [Start(2, (ADDRESS, 0, 0))]
    assert story.stages() == {1: Stage.READY, 2: Stage.STARTING}
    text = "reloaded: 1 process runs the new code"
    assert story.at(11, Ready(2)) == [Drain(1, 1012, 10, 5, is_reload=True)]
    assert story.at(11.1, StoppedAccepting(1)) == [
        CommandOutcome("reload", True, text)
    ]  # new clients meet new code
    assert story.stages() == {1: Stage.RETIRING, 2: Stage.READY}
    assert story.at(20, Ended(1, "exit status 0")) == []
    assert story.service.seats[0].restarts == 0


def test_the_first_new_process_goes_ahead_then_several_at_once() -> None:
    count = SIDE_BY_SIDE + 3
    story = running(count)
    assert len(story.at(10, seats(count))) == 1
    started = story.at(11, Ready(count + 1))
    assert [type(action) for action in started] == [Drain] + [Start] * SIDE_BY_SIDE


def test_a_new_process_that_fails_leaves_the_old_one() -> None:
    story = running(2)
    story.at(10, seats(2))
    (outcome,) = story.at(11, Failed(3, "SyntaxError"), Ended(3, "exit status 1"))
    assert outcome == CommandOutcome(
        "reload",
        False,
        "the reload failed: chat #0 does not start: SyntaxError; all processes keep the old code",
    )
    assert story.stages() == {1: Stage.READY, 2: Stage.READY}
    assert story.at(12, seats(2)) == [Start(4, (ADDRESS, 0, 0))]


def test_a_later_failure_says_how_far_it_came() -> None:
    story = running(2)
    story.at(10, seats(2))
    story.at(11, Ready(3))
    (outcome,) = story.at(12, Ended(4, "exit status 1"))
    assert isinstance(outcome, CommandOutcome)
    assert "1 process runs the new code, the others keep the old code" in outcome.text
    assert story.stages() == {1: Stage.RETIRING, 2: Stage.READY, 3: Stage.READY}


def test_a_retiring_process_has_a_deadline() -> None:
    story = running()
    story.at(10, seats(1))
    story.at(11, Ready(2), StoppedAccepting(1))
    for now in range(12, 28):
        assert story.at(now, Beat(1), Beat(2)) == []
    (kill,) = story.at(28, Beat(1), Beat(2))
    assert kill == Kill(1, "it did not end in time")
    assert story.at(29, Ended(1, "signal 9 (SIGKILL)")) == []


def test_what_must_not_be_reloaded_stays() -> None:
    story = Story(seat(0, reloadable=False), seat(1, address="ws://b")).running(2)
    wanted = Reload((seat(0, reloadable=False), seat(1, address="ws://b")))
    assert story.at(10, wanted) == [Start(3, ("ws://b", 0, 1))]
    assert story.stages()[1] is Stage.READY


def test_a_program_with_more_processes_gets_them() -> None:
    story = running(1)
    story.at(10, seats(2))
    story.at(11, Ready(2))
    (outcome,) = story.at(12, Ready(3), StoppedAccepting(1))
    assert isinstance(outcome, CommandOutcome)
    assert outcome.ok
    assert [each.key[2] for each in story.service.seats] == [0, 1]


def test_a_program_with_fewer_processes_loses_them_once_all_is_well() -> None:
    story = running(2)
    story.at(10, seats(1))
    assert story.at(11, Ready(3)) == [Drain(1, 1012, 10, 5, is_reload=True)]
    assert story.at(11.1, StoppedAccepting(1)) == [
        Drain(2, 1012, 10, 5, is_reload=True),
        Remove((ADDRESS, 0, 1)),
        CommandOutcome(
            "reload",
            True,
            "reloaded: 1 process runs the new code, 1 that the program no longer has is retired",
        ),
    ]
    story.at(12, Ended(2, "exit status 0"))
    assert [each.key[2] for each in story.service.seats] == [0]


def test_a_new_place_that_fails_is_given_up_again() -> None:
    story = running(1)
    story.at(10, seats(2))
    story.at(11, Ready(2))
    actions = story.at(12, Ended(3, "exit status 1"))
    assert actions[0] == Remove((ADDRESS, 0, 1))
    assert len(story.service.seats) == 1


def test_a_crash_during_a_reload_is_mended_by_the_new_process() -> None:
    story = running()
    story.at(10, seats(1))
    assert story.at(11, Ended(1, "signal 9")) == []
    (outcome,) = story.at(12, Ready(2))
    assert isinstance(outcome, CommandOutcome)
    assert outcome.ok
    assert story.stages() == {2: Stage.READY}


def test_a_crash_and_a_failure_during_a_reload_are_mended_by_a_restart() -> None:
    story = running()
    story.at(10, seats(1))
    story.at(11, Ended(1, "signal 9"))
    start, outcome = story.at(12, Ended(2, "exit status 1"))
    assert start == Start(3, (ADDRESS, 0, 0))
    assert isinstance(outcome, CommandOutcome)
    assert not outcome.ok


@pytest.mark.parametrize("events", [(Stop(),), (Stop(is_graceful=True),)])
def test_a_stop_during_a_reload_ends_both(events: tuple[Event, ...]) -> None:
    story = running()
    story.at(10, seats(1))
    actions = story.at(11, *events)
    assert actions[0] == CommandOutcome("reload", False, "the service was told to stop meanwhile")
    assert StopNow(2, 5) in actions
    assert story.at(12, Ended(1, "exit status 0"), Ended(2, "exit status 0")) == [Exit(0)]


def test_a_reload_before_all_are_ready_is_not_now() -> None:
    story = Story(seat())
    story.at(0)
    assert story.at(1, seats(1)) == [CommandOutcome("reload", False, "not now: it is starting")]


# Renewal.


def test_a_process_that_asks_for_it_is_replaced() -> None:
    story = running()
    assert story.at(10, Renew(1, "max_requests")) == [Start(2, (ADDRESS, 0, 0))]
    assert story.at(10.5, Renew(1, "max_requests")) == []
    assert story.at(11, Ready(2)) == [Drain(1, 1012, 10, 5)]
    assert story.service.seats[0].last_cause == "max_requests"


def test_processes_that_want_to_be_replaced_again_and_again_are_no_mill() -> None:
    story = running()
    now, waits = 10.0, []
    for number in range(1, 8):
        assert number == story.service.last_number
        started = story.at(now, Grown(number, "it has 61 bytes in memory (max_memory=60)"))
        due = story.service.seats[0].renewal
        assert due is not None
        waits.append(due.due - now)
        if waits[-1]:
            assert started == []
            assert story.levels == [logging.WARNING]
            assert "(max_memory=60); this waits" in story.said[0]
            story.at(due.due - 0.1, Beat(number))
            assert story.at(due.due, Beat(number)) == [Start(number + 1, (ADDRESS, 0, 0))]
        now = due.due + 1
        story.at(now, Ready(number + 1), Beat(number))
        now += 3
        story.at(now, Ended(number, "exit status 0"), Beat(number + 1))
    assert waits == [0, 60, 120, 300, 600, 600, 600]
    story.at(now + 3600, Beat(8), Woke())
    assert story.at(now + 3600, Grown(8, "max_memory")) == [Start(9, (ADDRESS, 0, 0))]


def test_who_has_served_as_much_as_it_shall_is_replaced_at_once_however_often() -> None:
    story = running()
    for number in range(1, 6):
        now = 10.0 * number
        assert story.at(now, Renew(number, "max_requests")) == [Start(number + 1, (ADDRESS, 0, 0))]
        story.at(now + 1, Ready(number + 1))
        story.at(now + 2, Ended(number, "exit status 0"), Beat(number + 1))


def test_a_renewal_that_waits_ends_with_its_process() -> None:
    story = running()
    story.service.seats[0].early = 5
    assert story.at(10, Grown(1, "max_memory")) == []
    assert story.at(11, Ended(1, "signal 9 (SIGKILL)")) == [Start(2, (ADDRESS, 0, 0))]
    story.at(12, Ready(2))
    assert story.at(1000, Woke()) == []
    assert len(story.service.seats[0].processes) == 1


def test_a_renewal_that_fails_is_tried_again_later() -> None:
    story = running()
    story.at(10, Renew(1, "max_memory"))
    assert story.at(11, Ended(2, "exit status 1"), Beat(1)) == []
    assert story.at(40, Beat(1)) == []
    assert story.at(11 + RENEW_AGAIN, Beat(1)) == [Start(3, (ADDRESS, 0, 0))]


# Stopping.


def test_a_stop_waits_for_all() -> None:
    story = running(2)
    assert story.at(10, Stop()) == [StopNow(1, 5), StopNow(2, 5)]
    assert story.at(11, Ended(1, "exit status 0")) == []
    assert story.at(12, Ended(2, "exit status 0")) == [Exit(0)]


def test_who_does_not_end_in_time_is_killed() -> None:
    story = running()
    story.at(10, Stop())
    assert story.at(16.9) == []
    assert story.at(17) == [Kill(1, "it did not end in time")]
    assert story.at(17.1, Ended(1, "signal 9 (SIGKILL)")) == [Exit(0)]


def test_a_second_signal_kills_and_the_exit_status_says_so() -> None:
    story = running()
    story.at(10, Stop())
    (kill,) = story.at(11, Stop())
    assert isinstance(kill, Kill)
    assert story.at(12, Ended(1, "signal 9 (SIGKILL)")) == [Exit(1)]


def test_a_second_stop_command_only_waits_as_well() -> None:
    story = running()
    story.at(10, Stop(is_repeatable=True))
    assert story.at(11, Stop(is_repeatable=True)) == []


def test_a_graceful_stop_drains_and_a_signal_hurries_it() -> None:
    story = running()
    assert story.at(10, Stop(is_graceful=True)) == [Drain(1, 1001, 10, 5)]
    assert story.at(11, Stop()) == [StopNow(1, 5)]
    assert isinstance(story.at(12, Stop())[0], Kill)


def test_a_stop_at_once_kills() -> None:
    story = running()
    (kill,) = story.at(10, Stop(is_forced=True))
    assert isinstance(kill, Kill)
    assert story.at(11, Ended(1, "signal 9 (SIGKILL)")) == [Exit(1)]


def test_a_stop_between_two_tries_starts_nothing_more() -> None:
    story = running()
    story.at(2, Ended(1, "signal 9"))
    assert story.at(2.01, Stop()) == [Exit(0)]


@pytest.mark.parametrize("event", [Beat(9), Ready(9), Failed(9, ""), Renew(9, ""), Ended(9, "")])
def test_news_of_an_unknown_process_changes_nothing(event: Event) -> None:
    story = running()
    assert story.at(2, event) == []
    assert story.levels == []


def test_errors_are_logged_as_errors() -> None:
    story = running()
    story.at(100, Beat(1), Ended(1, "signal 9"))
    assert story.levels == [logging.ERROR]
