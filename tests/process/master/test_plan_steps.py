"""The single steps of a decision, and the deadlines that they set."""

from __future__ import annotations

from kit.stories import seat
from lineman.process.master.model import (
    Drain,
    Kill,
    Process,
    ProgramState,
    Stage,
    Start,
    StopNow,
)
from lineman.process.master.plan_steps import GRACE, Moves

NOW = 100.0


def moves(stage: Stage) -> tuple[Moves, Process]:
    one = seat()
    process = Process(1, 0.0, 0.0, stage)
    one.processes.append(process)
    return Moves(ProgramState([one], last_number=1), NOW), process


def test_a_retiring_process_has_its_drain_its_stop_and_a_grace_before_it_is_killed() -> None:
    made, process = moves(Stage.READY)
    made.retire(made.service.seats[0], process, 1012)
    assert made.actions == [Drain(1, 1012, 10, 5)]
    assert process.stage is Stage.RETIRING
    assert process.deadline == NOW + 10 + 5 + GRACE


def test_a_process_that_starts_has_no_clients_to_let_go_and_is_stopped() -> None:
    made, process = moves(Stage.STARTING)
    made.retire(made.service.seats[0], process, 1012)
    assert made.actions == [StopNow(1, 5)]
    assert process.stage is Stage.STOPPING
    assert process.deadline == NOW + 5 + GRACE


def test_a_killed_process_keeps_the_first_reason_and_is_not_killed_again_at_once() -> None:
    made, process = moves(Stage.READY)
    process.why = "no database"
    process.deadline = 1.0
    made.kill(process, "it hangs")
    assert made.actions == [Kill(1, "it hangs")]
    assert (process.why, process.deadline, process.heard_at) == ("no database", None, NOW)


def test_a_started_process_gets_the_next_number_and_its_seat_waits_no_more() -> None:
    made, _ = moves(Stage.READY)
    place = made.service.seats[0]
    place.start_at = 5.0
    assert made.start(place) == 2
    assert made.actions == [Start(2, place.key)]
    assert place.start_at is None
    found = made.find(2)
    assert found is not None
    assert found.seat is place
    assert found.process.started_at == NOW
    assert made.find(3) is None
