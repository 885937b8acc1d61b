"""When a job is due, and whether it runs at a moment. Pure: the caller reads the clocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

# Seconds: a clock that was set by more was wrong before, and one goes on from the new time.
# By less, nothing runs twice, and what was passed over runs once; as in Debian's cron.
CLOCK_WAS_WRONG = 3 * 3600.0
# Seconds after which a sleeping job looks at the clock again: at the one of the wall, which
# somebody may set, soon.
LOOK = 1.0
LONG = 3600.0


class Moment(NamedTuple):
    """One moment on both clocks.

    Attributes:
        running: as `time.monotonic()` tells it: it never jumps, and stands while a machine sleeps.
        wall: as `time.time()` tells it.
    """

    running: float
    wall: float


class JobSchedule(Protocol):
    """When a job is due.

    Attributes:
        is_of_wall: whether its times are those of the clock on the wall.
    """

    is_of_wall: ClassVar[bool]

    def first(self, now: float) -> float:
        """The first moment after this one."""
        ...

    def following(self, due: float, now: float) -> tuple[float, int]:
        """The first moment after now, and how many were missed between `due` and now."""
        ...


class Interval:
    """Due every so many seconds after the beginning.

    Args:
        seconds: more than 0.
    """

    __slots__ = ("seconds",)
    is_of_wall: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"every({self.seconds:g})"

    def first(self, now: float) -> float:
        """The first moment after this one."""
        return now + self.seconds

    def following(self, due: float, now: float) -> tuple[float, int]:
        """The first moment after now, and how many were missed between `due` and now."""
        missed = max(0, int((now - due) / self.seconds))
        coming = due + (missed + 1) * self.seconds
        while coming <= now:  # numbers with fractions are not exact
            missed += 1
            coming = due + (missed + 1) * self.seconds
        return coming, missed


@dataclass(frozen=True, slots=True)
class JobDecision:
    """What to do at a moment.

    Attributes:
        runs: whether the job runs now.
        skipped: how many runs are left out.
        is_new_time: whether the clock was wrong before, by more than `CLOCK_WAS_WRONG`.
    """

    runs: bool = False
    skipped: int = 0
    is_new_time: bool = False


class JobClock:
    """The times of one job.

    Args:
        schedule: when it is due.
        now: the present.
        inherited: when it was due next in the process that ran it before; None for a new job. A
            number that this job cannot have left is not used.

    Attributes:
        due: when it is due next, on the clock of its schedule.
    """

    __slots__ = ("_is_of_wall", "_offset", "_schedule", "due")

    def __init__(self, schedule: JobSchedule, now: Moment, inherited: float | None = None) -> None:
        self._schedule = schedule
        self._is_of_wall = schedule.is_of_wall
        self._offset = now.wall - now.running
        self.due = schedule.first(self._read(now))
        if inherited is not None and self._can_be(inherited, self._read(now)):
            self.due = inherited

    def _can_be(self, inherited: float, now: float) -> bool:
        oldest = now - CLOCK_WAS_WRONG if self._is_of_wall else 0.0
        return math.isfinite(inherited) and oldest < inherited <= self.due

    def _read(self, now: Moment) -> float:
        return now.wall if self._is_of_wall else now.running

    def wait(self, now: Moment) -> float:
        """The seconds to sleep until it is due, or until another look; 0 if it is due."""
        return min(max(0.0, self.due - self._read(now)), LOOK if self._is_of_wall else LONG)

    def decide(self, now: Moment, is_busy: bool) -> JobDecision:
        """What to do now; the next due moment is set.

        Args:
            is_busy: whether the run before goes on, and another one must not begin beside it.
        """
        offset, self._offset = self._offset, now.wall - now.running
        if self._is_of_wall and abs(self._offset - offset) > CLOCK_WAS_WRONG:
            self.due = self._schedule.first(now.wall)
            return JobDecision(is_new_time=True)
        present = self._read(now)
        if present < self.due:
            return JobDecision()
        self.due, missed = self._schedule.following(self.due, present)
        return JobDecision(False, missed + 1) if is_busy else JobDecision(True, missed)
