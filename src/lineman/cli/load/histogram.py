"""A histogram of durations: a fixed amount of memory for any number of them, pure.

Buckets grow with their values: the width of each is at most 1/64 of its value, so that a percentile
is exact to 1.6 per cent, from nanoseconds to hours.
"""

from __future__ import annotations

import math

_BITS = 6
_PARTS = 1 << _BITS  # buckets for each doubling
_EXACT = _PARTS * 2  # values below have a bucket of their own


def _index(value: int) -> int:
    if value < _EXACT:
        return value
    shift = value.bit_length() - _BITS - 1
    return (shift << _BITS) + (value >> shift)


def _lowest(index: int) -> int:
    if index < _EXACT:
        return index
    shift = (index >> _BITS) - 1
    return ((index & (_PARTS - 1)) + _PARTS) << shift


class Histogram:
    """How often each duration was seen.

    Attributes:
        count: how many were added.
        total: their sum.
        min: the least of them; 0 where there is none.
        max: the greatest of them; 0 where there is none.
    """

    __slots__ = ("_counts", "count", "max", "min", "total")

    def __init__(self) -> None:
        self._counts: list[int] = []
        self.count = 0
        self.total = 0
        self.min = 0
        self.max = 0

    def add(self, value: int) -> None:
        """Counts one value, which is not negative; a clock's step back counts as 0."""
        if value < 0:
            value = 0
        index = _index(value)
        try:
            self._counts[index] += 1
        except IndexError:
            self._counts.extend([0] * (index + 1 - len(self._counts)))
            self._counts[index] = 1
        if value > self.max:
            self.max = value
        if value < self.min or not self.count:
            self.min = value
        self.count += 1
        self.total += value

    def percentile(self, percent: float) -> int:
        """The value that `percent` of all values do not exceed; 0 where there is none.

        Args:
            percent: 0 to 100.
        """
        wanted = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if seen >= wanted:
                return max(self.min, min(_lowest(index + 1) - 1, self.max))
        return 0

    @property
    def mean(self) -> float:
        """The average; 0 where there is nothing."""
        return self.total / self.count if self.count else 0.0

    def spans(self, number: int) -> list[tuple[int, int, int]]:
        """The values in `number` spans of equal ratio, from the least to the greatest.

        Durations spread over powers of ten: with spans of equal width, all but the slowest would
        be in the first.

        Returns:
            Lowest value, first value above, and count, of each span; empty where there is nothing.
        """
        if not self.count:
            return []
        low = max(self.min, 1)
        ratio = (max(self.max + 1, low + 1) / low) ** (1 / number)
        end = self.max + 1
        edges = [min(round(low * ratio**step), end) for step in range(number)] + [end]
        edges[0] = self.min
        counts = [0] * number
        span = 0
        for index, count in enumerate(self._counts):
            if count:
                value = max(self.min, _lowest(index))
                while span + 1 < number and value >= edges[span + 1]:
                    span += 1
                counts[span] += count
        rows = zip(edges, edges[1:], counts, strict=False)
        return [(start, stop, count) for start, stop, count in rows if stop > start or count]
