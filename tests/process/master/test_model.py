"""The plan's model of seats and processes: when a process has been silent for too long."""

from __future__ import annotations

import pytest

from lineman.process.master.model import (
    Process,
    ProgramState,
    Reloading,
    Renewal,
    Seat,
    Stage,
)
from lineman.process.messages.process_rules import Rules

RULES = Rules(start_timeout=60, watchdog_timeout=30)


def seat(*processes: Process, slot: int = 0, rules: Rules = RULES) -> Seat:
    found = Seat(("ws://0.0.0.0:80", 0, slot), f"chat #{slot}", rules, start_at=None)
    found.processes = list(processes)
    return found


@pytest.mark.parametrize(
    ("stage", "deadline", "at"),
    [
        (Stage.STARTING, None, 61.0),  # from its start on: it may have no event loop yet
        (Stage.STARTING, 5.0, 5.0),
        (Stage.READY, None, 37.0),  # from its last beat on
        (Stage.RETIRING, 100.0, 37.0),
        (Stage.RETIRING, 20.0, 20.0),
    ],
)
def test_a_silent_process_is_killed_at_the_earliest_of_its_deadlines(
    stage: Stage, deadline: float | None, at: float
) -> None:
    process = Process(1, started_at=1.0, heard_at=7.0, stage=stage, deadline=deadline)
    assert seat(process).patience(process) == at


def test_without_a_watchdog_only_an_order_sets_a_deadline() -> None:
    process = Process(1, 1.0, 7.0, Stage.READY)
    found = seat(process, rules=Rules(watchdog_timeout=0))
    assert found.patience(process) is None
    process.deadline = 9.0
    assert found.patience(process) == 9.0


def test_the_newest_process_that_is_ready_is_the_current_one() -> None:
    old, new = Process(1, 0, 0, Stage.READY), Process(2, 0, 0, Stage.READY)
    starting = Process(3, 0, 0)
    assert seat(old, new, starting).current() is new
    assert seat(starting).current() is None


def test_the_plan_is_made_anew_at_the_earliest_moment_of_any_seat() -> None:
    process = Process(1, 0.0, 0.0, Stage.READY)
    waiting = seat(slot=1)
    waiting.start_at = 12.0
    program = ProgramState([seat(process), waiting])
    assert program.next_deadline() == 12.0
    program.seats[0].renewal = Renewal("it has grown", due=4.0)
    assert program.next_deadline() == 4.0
    program.seats[0].renewal.number = 2  # it has begun
    assert program.next_deadline() == 12.0
    assert ProgramState([seat()]).next_deadline() is None


def test_a_copy_can_be_changed_without_changing_the_original() -> None:
    first = seat(Process(1, 0.0, 0.0))
    first.renewal = Renewal("reload", due=1.0)
    program = ProgramState([first], reloading=Reloading([first.key]))
    copy = program.copy()
    assert copy == program
    copy.seats[0].processes[0].stage = Stage.READY
    copy.seats[0].renewal.number = 7  # type: ignore[union-attr]
    copy.reloading.pending.clear()  # type: ignore[union-attr]
    assert program.seats[0].processes[0].stage is Stage.STARTING
    assert first.renewal.number is None
    assert program.reloading == Reloading([first.key])


def test_a_removed_seat_is_not_found_in_place_of_its_successor() -> None:
    removed, present = seat(), seat()
    removed.is_removed = True
    assert ProgramState([removed, present]).seat(present.key) is present


def test_the_oldest_process_that_serves_has_the_lowest_number() -> None:
    numbers = [Process(3, 0, 0, Stage.READY), Process(2, 0, 0, Stage.READY), Process(1, 0, 0)]
    assert ProgramState([seat(*numbers)]).oldest_ready() == 2
    assert ProgramState([seat()]).oldest_ready() == 0
