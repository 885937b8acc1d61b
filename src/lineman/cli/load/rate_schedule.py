"""When each message of a steady rate is due, pure.

A message's latency counts from the time at which it was due, not from the time at which it was
sent: a client that waits for a slow server before it sends the next one would otherwise leave out
exactly those messages that had to wait ("coordinated omission").
"""

from __future__ import annotations

import math

SECOND = 1_000_000_000


class Schedule:
    """Numbers the messages of a rate from 0 and says when each is due.

    Args:
        rate: messages per second, above 0.
        start: when number 0 is due, in nanoseconds.
    """

    __slots__ = ("_interval", "_issued", "_start")

    def __init__(self, rate: float, start: int) -> None:
        self._interval = SECOND / rate
        self._start = start
        self._issued = 0

    def intended(self, number: int) -> int:
        """When the message of this number is due, in nanoseconds."""
        return self._start + round(number * self._interval)

    def due(self, now: int) -> range:
        """The numbers that have become due since the last call.

        Args:
            now: nanoseconds.
        """
        first = self._issued
        count = math.floor((now - self._start) / self._interval) + 1
        # Where the two round differently, `intended` decides, since latency counts from it.
        if count > first and self.intended(count - 1) > now:
            count -= 1
        self._issued = max(first, count)
        return range(first, self._issued)

    @property
    def next_due(self) -> int:
        """When the next number is due that `due` has not given, in nanoseconds."""
        return self.intended(self._issued)
