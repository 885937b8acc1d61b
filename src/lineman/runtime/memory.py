"""Returns memory that a burst has needed to the system.

The C library keeps freed memory between two blocks that are still in use, and after large blocks
were freed it also takes new large blocks from its heap. So after a burst to slow readers more than
half of what it took may stay, free and unused.
"""

from __future__ import annotations

import ctypes
import logging

from lineman.net.loop.wheel import Timed
from lineman.net.service import Service
from lineman.process.child import usage

logger = logging.getLogger("lineman")

INTERVAL = 10.0
# What memory must have grown or shrunk by to be worth it: 20 ms for 250 MB.
WORTH = 8 << 20


class Mallinfo(ctypes.Structure):
    """What malloc has; bytes in `hblkhd` (large blocks, each from the kernel), `uordblks` (in use
    besides these) and `fordblks` (free).

    Source: mallinfo2(3)
    """

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    ]


# Only glibc has these; other C libraries give back by themselves.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
if _mallinfo is not None:
    _mallinfo.restype = Mallinfo


def mallinfo() -> Mallinfo:
    """What malloc says of this process; zeros where it says nothing."""
    return Mallinfo() if _mallinfo is None else _mallinfo()


class MemoryKeeper(Timed):
    """An item in the service's wheel: no timer and no task of its own."""

    def __init__(self) -> None:
        self.filed_tick = 0
        self._last = _look()

    def on_deadline(self, now: float) -> float:
        """Gives back what is free, if a burst has come or gone; returns when to look again."""
        used, free = _look()
        if abs(used - self._last[0]) > WORTH or abs(free - self._last[1]) > WORTH:
            if _trim is not None:
                _trim(0)
            self._last = _look()
            logger.debug("%d bytes given back, %d in use", used - self._last[0], self._last[0])
        return now + INTERVAL


def _look() -> tuple[int, int]:
    """Bytes of memory in use, and those that malloc has and nobody uses, given back or not."""
    return usage.rss(), mallinfo().fordblks


def watch(service: Service) -> None:
    """Has the process of this service give memory back, for as long as the service runs."""
    service.wheel.file(MemoryKeeper(), service.wheel.now + INTERVAL)
