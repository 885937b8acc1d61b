"""Long jobs of a gateway process: in order, in slices of time, as fast as a broker takes it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator

from lineman.base.loglimit import LogLimit
from lineman.gateway.wire.node_messages import AskHeldUids, HeldUids, Hold, Release

logger = logging.getLogger("lineman")

# Clients wait for so long at most while a job is at work.
SLICE = 0.005
RETRY = 0.01

About = Hold | Release | HeldUids | AskHeldUids
# What is to be said to which node next; None after a piece of work with nothing to say.
Job = Iterator[tuple[str, About] | None]


class PacedJobs:
    """Works off jobs one after the other.

    What the first says is said before the second begins: a node that is told all that is so, and
    then what has changed since, knows what is so.

    Args:
        tell: says something to another node.
        has_room: whether it may be said now without being dropped.
    """

    def __init__(self, tell: Callable[[str, About], None], has_room: Callable[[], bool]) -> None:
        self._tell = tell
        self._has_room = has_room
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Job] = deque()
        self._log = LogLimit(logger)
        self._timer: asyncio.TimerHandle | None = None
        self._is_working = False

    def add(self, job: Job) -> None:
        """Does a job after those before it; at once, if it is short and there is none."""
        self._jobs.append(job)
        if self._timer is None and not self._is_working:
            self._work()

    def stop(self) -> None:
        """Does nothing more."""
        self._jobs.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _work(self) -> None:
        self._timer = None
        self._is_working = True
        end = self._loop.time() + SLICE
        while self._jobs and self._has_room() and self._loop.time() < end:
            self._step(self._jobs[0])
        self._is_working = False
        if self._jobs:
            pause = 0 if self._has_room() else RETRY
            self._timer = self._loop.call_later(pause, self._work)

    def _step(self, job: Job) -> None:
        try:
            said = next(job)
        except StopIteration:
            self._jobs.popleft()
        except Exception as error:
            self._log.exception(error, "a job between gateway processes failed")
            self._jobs.popleft()
        else:
            if said is not None:
                self._tell(*said)
