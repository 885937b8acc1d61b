"""Hands events to the functions of one worker, in their order, plain functions and coroutines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from lineman.base.cancellation import is_cancelled_itself
from lineman.links.plain_values import decode_plain

# Events that wait for a function, and their bytes; further ones are lost, and counted.
MAX_WAITING = 10_000
MAX_BYTES = 16 * 1024 * 1024
# Events after which others have their turn in the event loop.
AT_ONCE = 100

Handler = Callable[[Any], Any]


class EventQueue:
    """The events that wait for one function.

    Args:
        handler: the function; it gets the event's data.
        name: its name in the log.
        spawn: runs a coroutine as a task of the worker, which may finish at the end.
        note_failure: gets the name and the exception of a function that raised.

    Attributes:
        lost: events that came while too many waited.
        is_held: whether events wait until `release`, since the worker is still starting.
    """

    def __init__(
        self,
        handler: Handler,
        name: str,
        spawn: Callable[[Any], object],
        note_failure: Callable[[str, BaseException], None],
    ) -> None:
        self._handler = handler
        self._name = name
        self._spawn = spawn
        self._note_failure = note_failure
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_running = False
        self.is_held = True
        self.lost = 0

    def __repr__(self) -> str:
        return self._name

    def put(self, data: bytes) -> bool:
        """Hands over an event later, in order; returns whether there was room for it.

        Args:
            data: as `encode_plain` has made it; each function gets a value of its own.
        """
        if len(self._waiting) >= MAX_WAITING or self._size + len(data) > MAX_BYTES:
            self.lost += 1
            return False
        self._waiting.append(data)
        self._size += len(data)
        self._wake()
        return True

    def release(self) -> None:
        """Begins to hand over."""
        self.is_held = False
        self._wake()

    def _wake(self) -> None:
        if self._waiting and not self._is_running and not self.is_held:
            self._is_running = True
            self._spawn(self._run())

    async def _run(self) -> None:
        try:
            count = 0
            while self._waiting:
                count += 1
                if count % AT_ONCE == 0:
                    await asyncio.sleep(0)
                data = self._waiting.popleft()
                self._size -= len(data)
                await self._hand_over(decode_plain(data))
        finally:
            self._is_running = False

    async def _hand_over(self, data: Any) -> None:
        try:
            result = self._handler(data)
            if hasattr(result, "__await__"):
                await result
        except asyncio.CancelledError as error:
            if is_cancelled_itself():
                raise  # the worker ends; otherwise it is what the function awaited
            self._note_failure(self._name, error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self._note_failure(self._name, error)
