"""Why an event loop stood still: a callback blocked it, or somebody stopped the whole process.

A stopped process (SIGSTOP, a debugger) gets SIGCONT when it goes on. A frozen container and a
callback that waits look alike from inside: neither uses the processor.
"""

from __future__ import annotations

import signal
import time
from types import FrameType

# A callback that computes uses at least this share of the time.
BUSY = 0.1

_went_on_at = 0.0


def watch() -> None:
    """Notes from now on when this process goes on after a stop; to be called in the main thread."""
    earlier = signal.getsignal(signal.SIGCONT)

    def on_continued(number: int, frame: FrameType | None) -> None:
        global _went_on_at
        _went_on_at = time.monotonic()
        if callable(earlier):
            earlier(number, frame)

    signal.signal(signal.SIGCONT, on_continued)


def was_stopped(since: float) -> bool:
    """Whether this process went on after a stop, since a time of `time.monotonic`."""
    return _went_on_at >= since


def explain(seconds: float, busy: float, is_stop: bool, place: str = "") -> str:
    """What the log says of an event loop that stood still.

    Args:
        seconds: how long.
        busy: seconds of the processor that this process used meanwhile.
        is_stop: whether the process was stopped.
        place: where the program's code was seen meanwhile; empty if that is not known.
    """
    if is_stop:
        return f"the process was stopped for {seconds:.1f} s, and goes on"
    cause = f"{place} blocks" if place else "a callback blocks"
    if not place and busy < BUSY * seconds:
        cause = "a callback blocks without computing, or the process was frozen"
    return (
        f"the event loop stood still for {seconds:.1f} s: {cause}; "
        "use async def with await, or asyncio.to_thread for blocking work"
    )
