"""The steps of a decision: to start, retire, stop or kill a process. Pure.

Each step changes the state of the service, and adds the action.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineman.process.master.model import (
    Action,
    Drain,
    Kill,
    Process,
    ProgramState,
    Say,
    Seat,
    Stage,
    Start,
    StopNow,
)

# Seconds between a child's own deadline and its kill.
GRACE = 2.0


@dataclass(slots=True)
class SeatedProcess:
    """A process and its seat."""

    seat: Seat
    process: Process


class Moves:
    """One decision in progress.

    Args:
        service: a copy of the state, which is changed.
        now: seconds, by the clock of all other times in the plan.
    """

    def __init__(self, service: ProgramState, now: float) -> None:
        self.service = service
        self.now = now
        self.actions: list[Action] = []

    def say(self, level: int, text: str) -> None:
        """Adds a line to the log."""
        self.actions.append(Say(level, text))

    def find(self, number: int) -> SeatedProcess | None:
        """A process and its seat; None for an unknown number."""
        for seat in self.service.seats:
            for process in seat.processes:
                if process.number == number:
                    return SeatedProcess(seat, process)
        return None

    def retire(self, seat: Seat, process: Process, code: int) -> None:
        """Makes a process close its clients with this close code, and end."""
        if process.stage is Stage.STARTING:  # it has no clients
            self.order_stop(seat, process)
            return
        rules = seat.rules
        process.stage = Stage.RETIRING
        process.deadline = self.now + rules.drain_seconds + rules.stop_timeout + GRACE
        self.actions.append(Drain(process.number, code, rules.drain_seconds, rules.stop_timeout))

    def order_stop(self, seat: Seat, process: Process) -> None:
        """Makes a process close all clients at once, and end."""
        process.stage = Stage.STOPPING
        process.deadline = self.now + seat.rules.stop_timeout + GRACE
        self.actions.append(StopNow(process.number, seat.rules.stop_timeout))

    def kill(self, process: Process, why: str) -> None:
        """Ends a process."""
        self.actions.append(Kill(process.number, why))
        process.why = process.why or f"killed: {why}"
        process.deadline = None
        process.heard_at = self.now  # killed again only after another time-out

    def start(self, seat: Seat) -> int:
        """Starts a process in a seat; returns its number."""
        service = self.service
        service.last_number += 1
        number = service.last_number
        seat.processes.append(Process(number, self.now, self.now))
        seat.start_at = None
        self.actions.append(Start(number, seat.key))
        return number
