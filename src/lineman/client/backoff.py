"""How long a client waits before it connects again: longer each time, and never all at once. Pure.

Source: "Exponential Backoff And Jitter" (AWS Architecture Blog), with half of each delay random.
"""

from __future__ import annotations

from collections.abc import Callable

# A connection that was open for so many seconds was good: the next delay is the first one again.
GOOD = 5.0
MOST_DOUBLINGS = 32


class Backoff:
    """The delays of one client.

    Args:
        first: seconds of the first delay at most.
        last: seconds of any delay at most.
        random: gives a number from 0 to 1.
    """

    def __init__(self, first: float, last: float, random: Callable[[], float]) -> None:
        self._first = first
        self._last = last
        self._random = random
        self._failures = 0

    def next(self) -> float:
        """The seconds to wait now."""
        longest = min(self._last, self._first * 2.0 ** min(self._failures, MOST_DOUBLINGS))
        self._failures += 1
        return longest * (1.0 + self._random()) / 2.0

    def note_open(self, seconds: float) -> None:
        """Notes how long a connection was open that has ended."""
        if seconds >= GOOD:
            self._failures = 0
