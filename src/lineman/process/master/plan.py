"""Decides the next actions of a master from the seats, their processes and the events. Pure.

A *seat* is a place for one child process: a worker's address and a slot of it, with a listening
socket that outlives every process. Usually a seat has one process. During a reload or a renewal it
has two, and retiring processes besides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lineman.process.master.model import (
    Action,
    Beat,
    CommandOutcome,
    Doing,
    Ended,
    Event,
    Exit,
    Failed,
    Grown,
    Phase,
    Process,
    ProgramState,
    Ready,
    Reload,
    Reloading,
    Remove,
    Renew,
    Renewal,
    Seat,
    Stage,
    Stop,
    StoppedAccepting,
    Woke,
)
from lineman.process.master.plan_steps import Moves

# Seconds after the start; the end of a child within them is a quick failure.
QUICK = 5.0
MAX_QUICK_FAILURES = 5
# Seconds before a restart, by the number of quick failures; the last one for more failures.
BACK_OFF = (0.0, 0.1, 0.4, 1.0, 2.5, 15.0)
# Seconds after the start; a process that asks to be replaced within them is early.
EARLY = 60.0
# Seconds before a replacement, by the number of early ones in a row; the last one for more.
RENEW_BACK_OFF = (0.0, 0.0, 60.0, 120.0, 300.0, 600.0)
# Seconds after which a failed renewal is tried again.
RENEW_AGAIN = 30.0
# New children started at once during a reload, after the first one has shown that it works.
SIDE_BY_SIDE = 4
# Close codes that clients get (RFC 6455, section 7.4; the registry of IANA).
GOING_AWAY = 1001
SERVICE_RESTART = 1012


def decide(
    service: ProgramState, events: Iterable[Event], now: float
) -> tuple[ProgramState, list[Action]]:
    """The next actions after these events, or because time has passed.

    Args:
        service: the state before; it is not changed.
        events: the events in the order in which they came.
        now: seconds, by the clock of all other times in the plan.

    Returns:
        The state after the actions, and the actions in order.
    """
    planner = _Planner(service.copy(), now)
    for event in events:
        planner.apply(event)
    planner.look_at_the_clock()
    planner.fill_seats()
    planner.go_on_reloading()
    planner.tell_ended()
    planner.finish()
    return planner.service, planner.actions


class _Planner(Moves):
    """One decision in progress."""

    # Events.

    def apply(self, event: Event) -> None:
        """Takes one event into the plan."""
        if isinstance(event, Woke):
            for seat in self.service.seats:
                for process in seat.processes:
                    process.heard_at = self.now
        elif isinstance(event, Reload):
            self._begin_reload(event.seats)
        elif isinstance(event, Stop):
            self._stop(event)
        else:
            found = self.find(event.number)
            if found is not None:
                self._hear(event, found.seat, found.process)

    def _hear(
        self,
        event: Beat | Ready | Failed | Doing | Renew | StoppedAccepting | Ended,
        seat: Seat,
        process: Process,
    ) -> None:
        process.heard_at = self.now
        if isinstance(event, Ready):
            self._ready(seat, process)
        elif isinstance(event, Failed):
            process.why = event.why
        elif isinstance(event, Doing):
            process.doing = event.what
        elif isinstance(event, Renew):
            is_current = process.stage is Stage.READY and seat.current() is process
            if is_current and seat.renewal is None:
                self._renew(seat, process, event)
        elif isinstance(event, StoppedAccepting):
            self.note_deaf(seat, process)
        elif isinstance(event, Ended):
            self.note_end(seat, process, event.status)
            self._ended(seat, process, event.cause)

    def _renew(self, seat: Seat, process: Process, event: Renew) -> None:
        """Replaces a process that asks for it; later if its predecessors asked too early."""
        why, lived = event.why, self.now - process.started_at
        is_early = isinstance(event, Grown) and lived < EARLY
        seat.early = seat.early + 1 if is_early else 0
        wait = RENEW_BACK_OFF[min(seat.early, len(RENEW_BACK_OFF) - 1)]
        seat.renewal = Renewal(why, self.now + wait)
        if wait:
            self.say(
                logging.WARNING,
                f"{seat.title} is to be replaced {lived:.0f} s after its start, like {seat.early} "
                f"in a row: {why}; this waits {wait:g} s, because each time its clients are "
                "closed; "
                "fix: raise the limit",
            )

    def _ready(self, seat: Seat, process: Process) -> None:
        if process.stage is not Stage.STARTING:
            return
        process.stage = Stage.READY
        renewal = seat.renewal
        is_reload = False
        if renewal is not None and renewal.number == process.number:
            seat.last_cause = renewal.why
            seat.renewal = None
            is_reload = renewal.is_reload
            if is_reload and self.service.reloading is not None:
                self.service.reloading.done += 1
        for other in seat.processes:
            if other.number < process.number and other.stage in (Stage.STARTING, Stage.READY):
                self.retire(seat, other, SERVICE_RESTART, is_reload=is_reload)

    def _ended(self, seat: Seat, process: Process, cause: str) -> None:
        seat.processes.remove(process)
        cause = process.why or cause
        if self.service.phase is Phase.STOPPING or process.stage in (
            Stage.RETIRING,
            Stage.STOPPING,
        ):
            return
        renewal = seat.renewal
        if renewal is not None and renewal.number == process.number:
            self._renewal_failed(seat, renewal, process, cause)
        elif self.service.phase is Phase.STARTING:
            self.say(logging.ERROR, f"{_who(seat, process)} does not start: {cause}")
            self._give_up(f"{seat.title} does not start: {cause}")
        else:
            self._crashed(seat, process, cause)

    def _renewal_failed(self, seat: Seat, renewal: Renewal, process: Process, cause: str) -> None:
        renewal.number = None
        renewal.due = self.now + RENEW_AGAIN
        old = "the old one continues" if seat.current() else "nothing serves in its place"
        new = f"the new process {process.pid or ''}".rstrip()  # without a pid if it was not begun
        text = f"{seat.title}: {new} does not start: {cause}; {old}"
        self.say(logging.ERROR, text)
        if renewal.is_reload:
            seat.renewal = None
            if self.service.reloading is not None:
                self.service.reloading.failure = f"{seat.title} does not start: {cause}"
        if not seat.is_new and not seat.processes:
            seat.start_at = self.now + BACK_OFF[min(seat.failures, MAX_QUICK_FAILURES)]

    def _crashed(self, seat: Seat, process: Process, cause: str) -> None:
        is_quick = self.now - process.started_at < QUICK
        seat.failures = seat.failures + 1 if is_quick else 0
        seat.restarts += 1
        seat.last_cause = cause
        who = f"{_who(seat, process)} {'ended' if process.pid else 'does not start'}: {cause}"
        wait = BACK_OFF[min(seat.failures, MAX_QUICK_FAILURES)]
        if seat.renewal is None or seat.renewal.number is None:
            seat.renewal = None  # the process to replace is gone
            seat.start_at = self.now + wait
        if seat.failures < MAX_QUICK_FAILURES:
            self.say(logging.ERROR, f"{who}; it is restarted")
            return
        many = f"{seat.failures} times in a row within {QUICK:g} s of its start"
        if self._is_served(seat.worker) or not seat.is_essential:
            self.say(logging.ERROR, f"{who}, {many}; the next try is in {wait:g} s")
        else:
            self.say(logging.ERROR, f"{who}, {many}, and nothing else serves it; stopping")
            self._give_up(f"{seat.title} ended {many}: {cause}")

    def _is_served(self, worker: tuple[str, int]) -> bool:
        return any(
            process.stage is Stage.READY
            for seat in self.service.seats
            if seat.worker == worker
            for process in seat.processes
        )

    def _give_up(self, why: str) -> None:
        if self.service.phase is Phase.STARTING:
            self.actions.append(CommandOutcome("start", False, why))
        self._stop(Stop(is_repeatable=True), status=1)

    # Stopping.

    def _stop(self, event: Stop, status: int = 0) -> None:
        service = self.service
        if event.is_forced:
            self._kill_all()
        elif service.phase is not Phase.STOPPING:
            service.status = status
            self._begin_to_stop(event.is_graceful)
        elif service.is_draining and not event.is_graceful:
            service.is_draining = False
            self._stop_processes()
        elif not event.is_repeatable:
            self._kill_all()

    def _begin_to_stop(self, is_graceful: bool) -> None:
        service = self.service
        service.phase = Phase.STOPPING
        service.is_draining = is_graceful
        self.say(logging.INFO, "stopping")
        if service.reloading is not None:
            service.reloading = None
            self.actions.append(
                CommandOutcome("reload", False, "the service was told to stop meanwhile")
            )
        for seat in service.seats:
            seat.start_at = None
            seat.renewal = None
            if is_graceful:
                for process in seat.processes:
                    if process.stage in (Stage.STARTING, Stage.READY):
                        self.retire(seat, process, GOING_AWAY)
        if not is_graceful:
            self._stop_processes()

    def _stop_processes(self) -> None:
        for seat in self.service.seats:
            for process in seat.processes:
                if process.stage is not Stage.STOPPING:
                    self.order_stop(seat, process)

    def _kill_all(self) -> None:
        service = self.service
        service.phase = Phase.STOPPING
        service.is_forced = True
        for seat in service.seats:
            seat.start_at = None
            seat.renewal = None
            for process in seat.processes:
                service.status = 1
                self.kill(process, "it was told to end at once")

    # The clock.

    def look_at_the_clock(self) -> None:
        """Kills processes that are late."""
        for seat in self.service.seats:
            for process in seat.processes:
                patience = seat.patience(process)
                if patience is None or self.now < patience:
                    continue
                self.kill(process, self._lateness(seat, process))

    def _lateness(self, seat: Seat, process: Process) -> str:
        rules = seat.rules
        if process.deadline is not None and self.now >= process.deadline:
            return "it did not end in time"
        if process.stage is not Stage.STARTING:
            return (
                f"its event loop has hung for {rules.watchdog_timeout:g} s: a callback blocks it, "
                "or somebody has stopped it (watchdog_timeout=)"
            )
        process.started_at = self.now  # so that it is killed only once
        doing = f": {process.doing} has not returned" if process.doing else ""
        return f"it is not ready after {rules.start_timeout:g} s (start_timeout=){doing}"

    # Starting.

    def fill_seats(self) -> None:
        """Starts the processes that are due."""
        if self.service.phase is Phase.STOPPING:
            return
        for seat in self.service.seats:
            if seat.start_at is not None and self.now >= seat.start_at:
                self.start(seat)
            renewal = seat.renewal
            if renewal is not None and renewal.number is None and self.now >= renewal.due:
                renewal.number = self.start(seat)
                if not renewal.is_reload:
                    self.say(logging.INFO, f"{seat.title} is replaced: {renewal.why}")

    # Reloading.

    def _begin_reload(self, wanted: Sequence[Seat]) -> None:
        service = self.service
        if service.phase is not Phase.RUNNING or service.reloading is not None:
            why = "it is reloading already" if service.reloading else f"it is {service.phase.value}"
            self.actions.append(CommandOutcome("reload", False, f"not now: {why}"))
            return
        keys = {seat.key for seat in wanted}
        known = {seat.key: seat for seat in service.seats if not seat.is_removed}
        for seat in wanted:
            old = known.get(seat.key)
            if old is None:
                service.seats.append(replace(seat, is_new=True, start_at=None))
            else:
                old.rules, old.title = seat.rules, seat.title
                old.is_reloadable = seat.is_reloadable
        pending = [
            seat.key
            for seat in service.seats
            if seat.key in keys and (seat.is_reloadable or seat.is_new) and not seat.is_removed
        ]
        removed = tuple(key for key in known if key not in keys)
        service.reloading = Reloading(pending, removed)
        self.say(logging.INFO, f"reloading: {_processes(len(pending))} to replace")

    def go_on_reloading(self) -> None:
        """Starts the next new children of a reload, or ends it."""
        service = self.service
        reloading = service.reloading
        if reloading is None or service.phase is Phase.STOPPING:
            return
        underway = [seat for seat in service.seats if seat.renewal and seat.renewal.is_reload]
        if reloading.failure is not None:
            if not underway:
                self._reload_failed(reloading)
            return
        room = (SIDE_BY_SIDE if reloading.done else 1) - len(underway)
        while reloading.pending and room > 0:
            room -= 1
            seat = service.seat(reloading.pending.pop(0))
            seat.start_at = None  # this start replaces a due restart after a crash
            seat.renewal = Renewal("reload", self.now, is_reload=True)
            seat.renewal.number = self.start(seat)
            underway.append(seat)
        if not underway and not reloading.pending and not self._hear_old_ones():
            self._reloaded(reloading)

    def _hear_old_ones(self) -> bool:
        """Whether a retiring process may still accept a client."""
        return any(
            process.stage is Stage.RETIRING and not process.is_deaf
            for seat in self.service.seats
            for process in seat.processes
        )

    def _reloaded(self, reloading: Reloading) -> None:
        service = self.service
        service.reloading = None
        for key in reloading.removed:
            self._remove(service.seat(key))
        self.tell_reloaded()
        for seat in service.seats:
            seat.is_new = False
        text = f"reloaded: {_new_code(reloading.done)}"
        if gone := len(reloading.removed):
            text += (
                f", {gone} that the program no longer has {'is' if gone == 1 else 'are'} retired"
            )
        self.say(logging.INFO, text)
        self.actions.append(CommandOutcome("reload", True, text))

    def _reload_failed(self, reloading: Reloading) -> None:
        service = self.service
        service.reloading = None
        for seat in [seat for seat in service.seats if seat.is_new]:
            seat.is_new = False
            if not seat.processes:
                seat.is_removed = True
                self.actions.append(Remove(seat.key))
        who = "all processes keep the old code"
        if reloading.done:
            who = f"{_new_code(reloading.done)}, the others keep the old code"
        text = f"the reload failed: {reloading.failure}; {who}"
        self.say(logging.ERROR, text)
        self.actions.append(CommandOutcome("reload", False, text))

    def _remove(self, seat: Seat) -> None:
        seat.start_at = None
        seat.renewal = None
        seat.is_removed = True
        for process in seat.processes:
            if process.stage in (Stage.STARTING, Stage.READY):
                self.retire(seat, process, SERVICE_RESTART, is_reload=True)
        self.actions.append(Remove(seat.key))

    # Ending.

    def finish(self) -> None:
        """Reports that all processes are ready, or that all are gone."""
        service = self.service
        service.seats = [seat for seat in service.seats if seat.processes or not seat.is_removed]
        if service.phase is Phase.STARTING and all(
            any(process.stage is Stage.READY for process in seat.processes)
            for seat in service.seats
        ):
            service.phase = Phase.RUNNING
            text = f"ready: {_processes(len(service.seats))}"
            self.say(logging.INFO, text)
            self.actions.append(CommandOutcome("start", True, text))
        if service.phase is Phase.STOPPING and not any(seat.processes for seat in service.seats):
            self.actions.append(Exit(service.status))


def _who(seat: Seat, process: Process) -> str:
    """A process as text; one that could not be started has no pid."""
    return f"{seat.title} (process {process.pid})" if process.pid else seat.title


def _processes(count: int) -> str:
    return f"{count} process" if count == 1 else f"{count} processes"


def _new_code(count: int) -> str:
    return f"{_processes(count)} {'runs' if count == 1 else 'run'} the new code"
