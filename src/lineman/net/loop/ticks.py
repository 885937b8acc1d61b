"""The clock that a turn is measured with.

This is the plain-Python way; compiled modules find the same functions in `ticks.h`, by `ticks.pxd`,
where looking at the clock costs an instruction or two as long as hardly any time has passed.
"""

from __future__ import annotations

import time

# A look at the clock. In C it also says what the processor had counted then.
Instant = float


def beginning() -> Instant:
    """Long ago."""
    return 0.0


def has_moved(since: Instant) -> bool:
    """Whether another look may show another time."""
    return True


def look(last: Instant) -> Instant:
    """Looks at the clock; `last` once more where hardly any time has passed since."""
    return time.monotonic()


def seconds(seen: Instant) -> float:
    """What the clock showed; it does not go back."""
    return seen
