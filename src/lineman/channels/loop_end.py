"""A socket as one event loop sees it, and futures that any thread may give their results."""

from __future__ import annotations

import asyncio
import os
from typing import Any

Loop = asyncio.AbstractEventLoop


class LoopEnd:
    """A descriptor of a socket that one event loop watches.

    Attributes:
        loop: the loop.
        descriptor: the descriptor, which is its own; -1 once it is closed.
        unsent: futures of those who wait until everything is sent.
    """

    __slots__ = ("descriptor", "loop", "unsent")

    def __init__(self, loop: Loop, descriptor: int) -> None:
        self.loop = loop
        self.descriptor = os.dup(descriptor)
        self.unsent: list[asyncio.Future[None]] = []

    def all_sent(self) -> None:
        """Everything is sent, or will never be."""
        if self.descriptor >= 0 and not self.loop.is_closed():
            self.loop.remove_writer(self.descriptor)
        unsent, self.unsent = self.unsent, []
        for future in unsent:
            settle(self.loop, future, None)

    def close(self) -> None:
        """Watches no more; in the loop's thread, or after the loop was closed."""
        if self.descriptor < 0:
            return
        if not self.loop.is_closed():
            self.loop.remove_reader(self.descriptor)
        self.all_sent()
        os.close(self.descriptor)
        self.descriptor = -1

    def close_in_child(self) -> None:
        """Closes the descriptor in a forked process, whose loops are those of the other one."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def settle(loop: Loop, future: asyncio.Future[Any], result: Any) -> bool:
    """Gives a future of any loop its result, or an exception.

    Returns:
        False if nobody waits any more.
    """
    if future.done() or loop.is_closed():
        return False
    if asyncio._get_running_loop() is loop:
        _set(future, result)
        return True
    try:
        loop.call_soon_threadsafe(_set, future, result)
    except RuntimeError:  # it was closed at this moment
        return False
    return True


def _set(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
