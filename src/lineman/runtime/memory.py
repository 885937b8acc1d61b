"""Returns memory to the system after a burst.

The C library keeps freed memory between two blocks that are still in use. After large blocks were
freed, it also takes new large blocks from its heap. So after a burst to slow readers more than half
of the memory may stay free and unused.
"""

from __future__ import annotations

import ctypes
import logging

from lineman.net.loop.wheel import Timed
from lineman.net.service import Service
from lineman.process.child import usage

logger = logging.getLogger("lineman")

INTERVAL = 10.0
# Bytes by which memory must have grown or shrunk: returning 250 MB takes 20 ms.
WORTH = 8 << 20


class Mallinfo(ctypes.Structure):
    """The memory of malloc in bytes: `hblkhd` (large blocks, each from the kernel), `uordblks`
    (other blocks in use) and `fordblks` (free).

    Source: mallinfo2(3)
    """

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    ]


# Only glibc has these functions; other C libraries return memory by themselves.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
if _mallinfo is not None:
    _mallinfo.restype = Mallinfo


def mallinfo() -> Mallinfo:
    """The figures of malloc for this process; zeros if there are none."""
    return Mallinfo() if _mallinfo is None else _mallinfo()


class MemoryKeeper(Timed):
    """An item in the service's wheel: no timer and no task of its own."""

    def __init__(self) -> None:
        self.filed_tick = 0
        self._last = _look()

    def on_deadline(self, now: float) -> float:
        """Returns free memory after a burst; the result is the time of the next look."""
        used, free = _look()
        if abs(used - self._last[0]) > WORTH or abs(free - self._last[1]) > WORTH:
            if _trim is not None:
                _trim(0)
            self._last = _look()
            logger.debug("%d bytes given back, %d in use", used - self._last[0], self._last[0])
        return now + INTERVAL


def _look() -> tuple[int, int]:
    """Bytes of memory in use, and bytes that malloc has free, returned or not."""
    return usage.rss(), mallinfo().fordblks


def watch(service: Service) -> None:
    """Returns memory of this process to the system for as long as the service runs."""
    service.wheel.file(MemoryKeeper(), service.wheel.now + INTERVAL)
