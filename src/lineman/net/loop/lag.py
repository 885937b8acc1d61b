"""How late an event loop runs: the last wake-up, and the worst one of the last minute. Pure."""

from __future__ import annotations

from collections import deque

SPAN = 10.0  # seconds that share one figure
SPANS = 6


class LagMeter:
    """Remembers how late regular wake-ups came.

    Attributes:
        last: seconds that the last one was late.
    """

    __slots__ = ("_spans", "last")

    def __init__(self) -> None:
        self.last = 0.0
        self._spans: deque[tuple[int, float]] = deque(maxlen=SPANS)

    def note(self, now: float, late: float) -> None:
        """Notes a wake-up.

        Args:
            now: seconds on a clock that does not go back.
            late: seconds after the time at which it was due.
        """
        self.last = max(0.0, late)
        span = int(now / SPAN)
        if self._spans and self._spans[-1][0] == span:
            if self.last > self._spans[-1][1]:
                self._spans[-1] = (span, self.last)
        else:
            self._spans.append((span, self.last))

    def worst(self, now: float) -> float:
        """Seconds of the worst one within the last minute; 0 where there was none."""
        oldest = int(now / SPAN) - SPANS
        return max((late for span, late in self._spans if span > oldest), default=0.0)
