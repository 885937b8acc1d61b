"""The channels that belong to one layer object, and the coroutines that wait for their messages.

All its methods may be called in any thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable

from lineman.channels.loop_end import Loop, settle
from lineman.channels.message_queue import MessageQueue

# Seconds between two looks for messages that nobody has received.
SWEEP = 10.0

Waiter = tuple[Loop, "asyncio.Future[None]"]


class OwnChannels:
    """Messages of a layer's own channels.

    Args:
        capacity_of: the number of messages that a channel may have.
    """

    def __init__(self, capacity_of: Callable[[str], int]) -> None:
        self._capacity_of = capacity_of
        self._lock = threading.Lock()
        self._queues: dict[str, MessageQueue] = {}
        self._waiters: dict[str, deque[Waiter]] = {}
        self._next_sweep = 0.0

    def put(self, channel: str, payload: bytes, seconds: float) -> bool:
        """Adds a message that expires after some seconds; returns False if the channel is full."""
        now = time.monotonic()
        with self._lock:
            if now > self._next_sweep:
                self._next_sweep = now + SWEEP
                left = {name: each for name, each in self._queues.items() if each.expire(now)}
                self._queues = left
            queue = self._queues.get(channel)
            if queue is None:
                queue = self._queues[channel] = MessageQueue()
            if not queue.put(payload, now + seconds, now, self._capacity_of(channel)):
                return False
            self._wake(channel)
        return True

    async def get(self, channel: str) -> bytes:
        """Takes the oldest message, and waits until there is one."""
        loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                payload = self._take(channel)
                if payload is not None:
                    return payload
                future: asyncio.Future[None] = loop.create_future()
                waiter = (loop, future)
                self._waiters.setdefault(channel, deque()).append(waiter)
            try:
                await future
            except BaseException:
                with self._lock:
                    self._leave(channel, waiter)
                raise

    def take(self, channel: str) -> bytes | None:
        """Takes the oldest message; None if there is none."""
        with self._lock:
            return self._take(channel)

    def _take(self, channel: str) -> bytes | None:
        queue = self._queues.get(channel)
        if queue is None:
            return None
        found = queue.take(time.monotonic())
        if not queue.size:
            del self._queues[channel]
        return None if found is None else found[1]

    def _leave(self, channel: str, waiter: Waiter) -> None:
        waiters = self._waiters.get(channel)
        if waiters is not None and waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiters[channel]
        elif channel in self._queues:
            self._wake(channel)  # it was woken for a message, which another one gets now

    def _wake(self, channel: str) -> None:
        waiters = self._waiters.get(channel)
        while waiters:
            loop, future = waiters.popleft()
            if not waiters:
                del self._waiters[channel]
            if settle(loop, future, None):
                return

    @property
    def is_awaited(self) -> bool:
        """Whether a coroutine waits for a message."""
        return bool(self._waiters)

    def clear(self) -> None:
        """Deletes all messages; who waits goes on waiting."""
        with self._lock:
            self._queues.clear()
