"""What the master tells processes about reloads and about the others of their seat."""

from __future__ import annotations

from kit.stories import ADDRESS, Story, running, seat, seats
from lineman.process.master.model import (
    CommandOutcome,
    Drain,
    Ended,
    EndedProcess,
    Ready,
    Reload,
    Start,
    Stop,
    StoppedAccepting,
    TellEnded,
    TellReloaded,
)
from lineman.process.master.plan import QUICK
from lineman.process.master.plan_steps import GRACE, MAX_ENDED


def test_a_process_that_stays_is_told_of_a_reload_once_that_is_over() -> None:
    story = Story(seat(0), seat(0, address="hub", reloadable=False)).running(2)
    wanted = Reload((seat(0), seat(0, address="hub", reloadable=False), seat(1, address="hub")))
    assert story.at(10, wanted) == [Start(3, (ADDRESS, 0, 0))]
    story.at(11, Ready(3), StoppedAccepting(1))
    (told, outcome) = story.at(12, Ready(4))
    assert told == TellReloaded(2)
    assert isinstance(outcome, CommandOutcome)


def test_a_process_that_the_reload_removes_is_told_once() -> None:
    story = Story(seat(0), seat(0, address="hub", reloadable=False)).running(2)
    story.at(10, Reload((seat(0),)))
    story.at(11, Ready(3))
    actions = story.at(12, StoppedAccepting(1))
    assert actions[0] == Drain(2, 1012, 10, 5, is_reload=True)
    assert not [each for each in actions if isinstance(each, TellReloaded)]


def test_the_time_of_on_worker_reload_is_not_taken_from_the_drain() -> None:
    story = running()
    story.at(10, seats(1))
    story.at(11, Ready(2))
    story.at(15, StoppedAccepting(1))
    (old, _) = story.service.seats[0].processes
    assert old.deadline == 15 + 10 + 5 + GRACE
    story.at(20, StoppedAccepting(1))
    assert story.service.seats[0].processes[0].deadline == old.deadline  # only the first one counts


# Ended processes.


def ended(pid: int, status: int = 0) -> EndedProcess:
    return EndedProcess(pid, status)


def test_the_next_process_is_told_of_every_one_that_has_ended() -> None:
    story = running()
    story.service.note_pid(1, 71)
    assert story.at(100, Ended(1, "signal 9", -9)) == [Start(2, (ADDRESS, 0, 0))]
    story.service.note_pid(2, 72)
    story.at(101, Ended(2, "exit status 3", 3))
    story.at(101.2)
    assert story.at(102, Ready(3)) == [TellEnded(3, (ended(71, -9), ended(72, 3)))]
    assert story.at(103) == []


def test_the_present_process_is_told_when_a_retired_one_has_ended() -> None:
    story = running()
    story.service.note_pid(1, 71)
    story.at(10, seats(1))
    story.at(11, Ready(2), StoppedAccepting(1))
    assert story.at(12, Ended(1, "exit status 0", 0)) == [TellEnded(2, (ended(71),))]


def test_a_process_that_was_not_begun_has_not_ended() -> None:
    story = running()
    assert not [each for each in story.at(9, Ended(1, "no memory")) if isinstance(each, TellEnded)]
    assert story.at(10, Ready(2)) == []


def test_nobody_is_told_while_the_service_stops() -> None:
    story = running(2)
    story.service.note_pid(1, 71)
    story.at(10, Stop())
    assert story.at(11, Ended(1, "exit status 0", 0)) == []


def test_only_the_last_ended_processes_wait_to_be_told_of() -> None:
    story = running()
    now, number = 100.0, 1
    for number in range(1, MAX_ENDED + 4):
        now += QUICK + 1
        story.service.note_pid(number, 100 + number)
        story.at(now, Ended(number, "signal 9", -9))
    (told,) = story.at(now + 1, Ready(number + 1))
    assert isinstance(told, TellEnded)
    assert [each.pid for each in told.ended] == [100 + each for each in range(4, number + 1)]
