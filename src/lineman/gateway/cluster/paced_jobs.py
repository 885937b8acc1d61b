"""Long jobs of a gateway process: in order, in slices of time, as fast as a broker allows."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.gateway.wire.node_messages import (
    AskHeldUids,
    HeldUids,
    Hold,
    KeepTimer,
    Release,
    SharedUids,
)

logger = logging.getLogger("lineman")

# Seconds of one slice: clients wait no longer than this while a job runs.
SLICE = 0.005
RETRY = 0.01

About = Hold | Release | HeldUids | AskHeldUids | SharedUids | KeepTimer
# The node and the message to send to it next; None after a piece of work without a message.
Job = Iterator[tuple[str, About] | None]


class PacedJobs:
    """Runs jobs one after the other.

    All messages of a job are sent before the next job begins. So a node that first gets the whole
    state and then the changes ends with the right state.

    Args:
        tell: sends a message to another node.
        has_room: whether a message can be sent now without being dropped.
    """

    def __init__(self, tell: Callable[[str, Any], None], has_room: Callable[[], bool]) -> None:
        self._tell = tell
        self._has_room = has_room
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[Job] = deque()
        self._log = LogLimit(logger)
        self._timer: asyncio.TimerHandle | None = None
        self._is_working = False

    def add(self, job: Job) -> None:
        """Adds a job behind the others; if there are none, it begins at once."""
        self._jobs.append(job)
        if self._timer is None and not self._is_working:
            self._work()

    def stop(self) -> None:
        """Drops all jobs."""
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
            if said is not None:
                self._tell(*said)
        except StopIteration:
            self._jobs.popleft()
        except Exception as error:
            self._log.exception(error, "a job between gateway processes failed")
            self._jobs.popleft()
