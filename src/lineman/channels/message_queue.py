"""The messages of one channel, each with the time at which it expires. Pure."""

from __future__ import annotations

from collections import deque


class MessageQueue:
    """Messages in order, oldest first; expired ones are not there.

    Attributes:
        size: bytes of all its messages.
    """

    __slots__ = ("_waiting", "size")

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.size = 0

    def put(self, payload: bytes, expires: float, now: float, capacity: int) -> bool:
        """Adds a message; returns False if the channel is full."""
        if len(self._waiting) >= capacity and self.expire(now) >= capacity:
            return False
        self._waiting.append((expires, payload))
        self.size += len(payload)
        return True

    def put_back(self, payload: bytes, expires: float) -> None:
        """Puts a message that was taken before all others, whatever the capacity."""
        self._waiting.appendleft((expires, payload))
        self.size += len(payload)

    def take(self, now: float) -> tuple[float, bytes] | None:
        """The time at which the oldest message expires, and the message; None if there is none."""
        while self._waiting:
            expires, payload = self._waiting.popleft()
            self.size -= len(payload)
            if expires > now:
                return expires, payload
        return None

    def expire(self, now: float) -> int:
        """Drops what has expired; returns how many messages are left."""
        # Layers may have different times of expiry, so that an older message may live longer.
        if any(expires <= now for expires, _ in self._waiting):
            self._waiting = deque(each for each in self._waiting if each[0] > now)
            self.size = sum(len(payload) for _, payload in self._waiting)
        return len(self._waiting)
