"""A clock that a test moves forward: pings, timers and deadlines come without waiting for them."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

_monotonic = time.monotonic
_wall = time.time


class MovableClock:
    """`time.monotonic` and `time.time` of this process, which a test may move forward.

    Between its moves it runs on as always. asyncio's own loop, the deadlines of Lineman and what
    the program reads by these two functions move with it; `uvloop` and the timeouts of sockets and
    threads do not. Clocks that are in use at the same time move together.
    """

    _users: ClassVar[int] = 0
    _offset: ClassVar[float] = 0.0
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def install(self) -> None:
        """Puts it in the place of the two functions."""
        with MovableClock._lock:
            MovableClock._users += 1
            if MovableClock._users == 1:
                MovableClock._offset = 0.0
                time.monotonic = _moved_monotonic
                time.time = _moved_wall

    def remove(self) -> None:
        """Puts the functions back, when no other clock is in use."""
        with MovableClock._lock:
            MovableClock._users -= 1
            if MovableClock._users == 0:
                time.monotonic = _monotonic
                time.time = _wall

    def move(self, seconds: float) -> None:
        """Moves it forward.

        Raises:
            ValueError: the number is below 0; a clock that goes back would stop every timer.
        """
        if seconds < 0:
            raise ValueError(f"a clock goes forward only, got {seconds}")
        with MovableClock._lock:
            MovableClock._offset += seconds


def _moved_monotonic() -> float:
    return _monotonic() + MovableClock._offset


def _moved_wall() -> float:
    return _wall() + MovableClock._offset
