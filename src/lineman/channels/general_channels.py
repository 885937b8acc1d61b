"""The channels of a hub that belong to no layer: their messages, and who waits for them. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lineman.channels.message_queue import MessageQueue

# Bytes of all messages that wait; with more of them every channel counts as full.
MAX_BYTES = 256 * 1024 * 1024

LayerT = TypeVar("LayerT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Handed(Generic[LayerT]):
    """A message that goes to a layer which has waited for it.

    Attributes:
        layer: the layer.
        number: that of its question.
    """

    layer: LayerT
    number: int


class GeneralChannels(Generic[LayerT]):
    """Messages of general channels, and the questions of layers that wait for one.

    Args:
        max_bytes: the size of all messages together.

    Attributes:
        size: bytes of all messages that wait.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._queues: dict[str, MessageQueue] = {}
        self._waiting: dict[str, deque[Handed[LayerT]]] = {}
        self.size = 0

    def put(
        self, channel: str, payload: bytes, expires: float, now: float, capacity: int
    ) -> Handed[LayerT] | bool:
        """Adds a message.

        Returns:
            The question that the message is the answer to; else whether the channel had room.
        """
        waiting = self._next(channel)
        if waiting is not None:
            return waiting
        if self.size + len(payload) > self._max_bytes:
            return False
        queue = self._queues.get(channel) or MessageQueue()
        before = queue.size
        is_taken = queue.put(payload, expires, now, capacity)
        self._keep(channel, queue, before)
        return is_taken

    def put_back(self, channel: str, payload: bytes, expires: float) -> Handed[LayerT] | None:
        """Puts a message that was taken before all others; returns the question that gets it."""
        waiting = self._next(channel)
        if waiting is None:
            queue = self._queues.get(channel) or MessageQueue()
            before = queue.size
            queue.put_back(payload, expires)
            self._keep(channel, queue, before)
        return waiting

    def take(self, channel: str, now: float) -> tuple[float, bytes] | None:
        """The time at which the oldest message expires, and the message; None if there is none."""
        queue = self._queues.get(channel)
        if queue is None:
            return None
        before = queue.size
        found = queue.take(now)
        self._keep(channel, queue, before)
        return found

    def _keep(self, channel: str, queue: MessageQueue, before: int) -> None:
        self.size += queue.size - before
        if queue.size:
            self._queues[channel] = queue
        else:
            self._queues.pop(channel, None)

    def _next(self, channel: str) -> Handed[LayerT] | None:
        waiting = self._waiting.get(channel)
        if waiting is None:
            return None
        first = waiting.popleft()
        if not waiting:
            del self._waiting[channel]
        return first

    def wait(self, channel: str, layer: LayerT, number: int) -> None:
        """Notes that a layer waits for a message of a channel."""
        self._waiting.setdefault(channel, deque()).append(Handed(layer, number))

    def stop_waiting(self, channel: str, layer: LayerT, number: int) -> None:
        """Forgets it; nothing happens if it has its message."""
        self._filter(channel, lambda each: each != Handed(layer, number))

    def forget(self, layer: LayerT) -> None:
        """Forgets everything that a layer waits for."""
        for channel in list(self._waiting):
            self._filter(channel, lambda each: each.layer != layer)

    def _filter(self, channel: str, stays: Callable[[Handed[LayerT]], bool]) -> None:
        left = deque(filter(stays, self._waiting.get(channel, ())))
        if left:
            self._waiting[channel] = left
        else:
            self._waiting.pop(channel, None)

    @property
    def wanted(self) -> list[str]:
        """The channels that a layer waits for."""
        return list(self._waiting)

    def has_waiting(self, channel: str) -> bool:
        """Whether a layer waits for a message of this channel."""
        return channel in self._waiting

    def expire(self, now: float) -> bool:
        """Drops expired messages; returns whether any are left."""
        for channel, queue in list(self._queues.items()):
            before = queue.size
            queue.expire(now)
            self._keep(channel, queue, before)
        return bool(self._queues)

    def clear(self) -> None:
        """Deletes all messages; who waits goes on waiting."""
        self._queues.clear()
        self.size = 0
