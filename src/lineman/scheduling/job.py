"""A job in this process: it sleeps until it is due, runs, and never beside itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from lineman.net.service import Service
from lineman.scheduling.job_clock import JobClock, JobDecision, Moment
from lineman.scheduling.job_spec import JobSpec
from lineman.scheduling.seat_duty import SeatDuty

# A loop that woke too early sleeps at least so long again: uvloop counts whole milliseconds.
AGAIN = 0.001


class Keeper(Protocol):
    """What a job needs of its timekeeper."""

    service: Service
    duty: SeatDuty | None

    def run(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], finish: bool
    ) -> asyncio.Task[Any] | None:
        """Calls a function; the task, if it is `async def`."""
        ...

    def forget(self, job: Job) -> None:
        """Keeps a job no longer."""
        ...


class Job:
    """A job that runs again and again. `cancel` ends it.

    Args:
        keeper: its timekeeper.
        spec: what runs, and when.
        key: under which it passes from process to process; empty for one that does not.

    Attributes:
        name: for the log, such as `every(10) tick`.
    """

    __slots__ = (
        "_clock", "_handle", "_is_over", "_keeper", "_may_be_elsewhere", "_runs", "_since",
        "_spec", "key",
    )  # fmt: skip

    def __init__(self, keeper: Keeper, spec: JobSpec, key: bytes) -> None:
        self._keeper = keeper
        self._spec = spec
        self.key = key
        self._clock: JobClock | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._runs = 0
        self._since = 0.0
        self._is_over = False
        self._may_be_elsewhere = False

    def __repr__(self) -> str:
        return f"<Job {self.name}>"

    @property
    def name(self) -> str:
        """Its name in the log."""
        return self._spec.name

    @property
    def has_begun(self) -> bool:
        """Whether it sleeps or runs."""
        return self._clock is not None

    @property
    def is_over(self) -> bool:
        """Whether it begins no more runs."""
        return self._is_over

    def cancel(self) -> None:
        """Ends the job; a run that goes on is not touched. Does nothing the second time."""
        self.retire()
        self._keeper.forget(self)

    def begin(self, inherited: float | None) -> None:
        """Sleeps until it is due.

        Args:
            inherited: when it was due in the process before; None for a new job.
        """
        if self._is_over:
            return
        self._may_be_elsewhere = bool(self.key) and self._keeper.duty is not None
        self._clock = JobClock(self._spec.schedule, _now(), inherited)
        self._note()
        self._sleep()

    def retire(self) -> None:
        """Begins no more runs; if one goes on, no other process may begin one."""
        if self._is_over:
            return
        self._is_over = True
        if self._handle is not None:
            self._handle.cancel()
        duty = self._keeper.duty
        if duty is not None and self.key and self._runs and not self._spec.overlap:
            duty.hold(self.key)

    def _note(self) -> None:
        if self.key and self._keeper.duty is not None and self._clock is not None:
            self._keeper.duty.note(self.key, self._clock.due)

    def _sleep(self, least: float = 0.0) -> None:
        assert self._clock is not None
        seconds = max(self._clock.wait(_now()), least)
        self._handle = self._keeper.service.loop.call_later(seconds, self._wake)

    def _wake(self) -> None:
        clock = self._clock
        assert clock is not None
        is_busy = not self._spec.overlap and (self._runs > 0 or self._runs_elsewhere())
        decision = clock.decide(_now(), is_busy)
        if decision.runs or decision.skipped or decision.is_new_time:
            self._note()
            self._tell(decision, is_busy)
        if decision.runs:
            self._run()
        if not self._is_over:
            self._sleep(AGAIN)

    def _runs_elsewhere(self) -> bool:
        """Whether a run of the process before goes on; once it has ended there is none."""
        if self._may_be_elsewhere:
            duty = self._keeper.duty
            self._may_be_elsewhere = duty is not None and duty.is_held(self.key)
        return self._may_be_elsewhere

    def _run(self) -> None:
        spec = self._spec
        self._since = time.monotonic()
        self._runs += 1
        task = self._keeper.run(spec.name, spec.function, spec.args, spec.finish)
        if task is None:
            self._ended()
        else:
            task.add_done_callback(self._ended)

    def _ended(self, task: Any = None) -> None:
        self._runs -= 1
        duty = self._keeper.duty
        if self._is_over and duty is not None and self.key and not self._runs:
            duty.let_go(self.key)

    def _tell(self, decision: JobDecision, is_busy: bool) -> None:
        """Says what is left out, and why."""
        log = self._keeper.service.log
        if decision.is_new_time:
            log.log(
                logging.WARNING,
                "jobs and a clock that was set",
                "%s: the clock was set by hours; the job goes on from the new time",
                self.name,
            )
        if not decision.skipped:
            return
        if not is_busy:
            why = "the event loop was busy, or this run was late"
        elif self._runs:
            why = f"the run before goes on since {time.monotonic() - self._since:.3g} s"
        else:
            why = "the run before goes on in the process that this one replaces"
        count = "a run" if decision.skipped == 1 else f"{decision.skipped} runs"
        kind = f"runs left out of {self.name}" if is_busy else f"late runs of {self.name}"
        log.log(logging.WARNING, kind, "%s: %s left out: %s", self.name, count, why, lines=1)


def _now() -> Moment:
    return Moment(time.monotonic(), time.time())
