"""Limits the time that one turn of asyncio spends on the messages of many clients.

The poller limits its own work. Messages that wait for a coroutine, or come from another process,
are handled outside of the poller: by a hundred tasks, or links, in one turn. Each of them may do
one piece of work in a turn, and more while there is time.
"""

from __future__ import annotations

import asyncio

# Seconds of a turn.
TASK_TIME = 0.004


class TaskTime:
    """The time of one event loop.

    Args:
        loop: the event loop.
    """

    __slots__ = ("_ends", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ends = 0.0

    def is_over(self) -> bool:
        """Whether new work must wait for another turn; the first call begins the measurement."""
        if self._ends:
            return self._loop.time() >= self._ends
        self._ends = self._loop.time() + TASK_TIME
        self._loop.call_soon(self._end)  # in the next turn
        return False

    def _end(self) -> None:
        self._ends = 0.0

    def is_of(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it is the time of this loop."""
        return self._loop is loop


_known: TaskTime | None = None


def running() -> TaskTime:
    """The time of the event loop that runs."""
    global _known
    loop = asyncio.get_running_loop()
    if _known is None or not _known.is_of(loop):
        _known = TaskTime(loop)
    return _known
