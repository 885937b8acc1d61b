"""The steps of a decision: to start, retire, stop or kill a process. Pure.

Each step changes the state of the service, and adds the action.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineman.process.master.model import (
    Action,
    Drain,
    EndedProcess,
    Kill,
    Phase,
    Process,
    ProgramState,
    Say,
    Seat,
    Stage,
    Start,
    StopNow,
    TellEnded,
    TellReloaded,
)

# Seconds between a child's own deadline and its kill.
GRACE = 2.0
# Ended processes that a seat keeps while it has no process that could learn of them.
MAX_ENDED = 16


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

    def retire(self, seat: Seat, process: Process, code: int, *, is_reload: bool = False) -> None:
        """Makes a process close its clients with this close code, and end."""
        if process.stage is Stage.STARTING:  # it has no clients
            self.order_stop(seat, process)
            return
        rules = seat.rules
        process.stage = Stage.RETIRING
        process.deadline = self._end_of_drain(seat)
        self.actions.append(
            Drain(process.number, code, rules.drain_seconds, rules.stop_timeout, is_reload)
        )

    def note_deaf(self, seat: Seat, process: Process) -> None:
        """A process accepts no more: its drain begins, after the end of on_worker_reload."""
        if process.stage is Stage.RETIRING and not process.is_deaf:
            process.deadline = self._end_of_drain(seat)
        process.is_deaf = True

    def _end_of_drain(self, seat: Seat) -> float:
        return self.now + seat.rules.drain_seconds + seat.rules.stop_timeout + GRACE

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

    def note_end(self, seat: Seat, process: Process, status: int | None) -> None:
        """Keeps the end of a process until another one of its seat serves."""
        if status is not None and process.pid:
            seat.ended = (*seat.ended, EndedProcess(process.pid, status))[-MAX_ENDED:]

    def tell_ended(self) -> None:
        """Tells the processes that serve which others of their seats have ended."""
        if self.service.phase is Phase.STOPPING:
            return
        for seat in self.service.seats:
            current = seat.current() if seat.ended else None
            if current is not None:
                self.actions.append(TellEnded(current.number, seat.ended))
                seat.ended = ()

    def tell_reloaded(self) -> None:
        """Tells the processes that a reload does not replace that it is over."""
        for seat in self.service.seats:
            current = seat.current()
            if current is not None and not seat.is_reloadable and not seat.is_new:
                self.actions.append(TellReloaded(current.number))

    def start(self, seat: Seat) -> int:
        """Starts a process in a seat; returns its number."""
        service = self.service
        service.last_number += 1
        number = service.last_number
        seat.processes.append(Process(number, self.now, self.now))
        seat.start_at = None
        self.actions.append(Start(number, seat.key))
        return number
