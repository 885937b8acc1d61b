"""Whether the terminal that started the program is still there."""

from __future__ import annotations

import os
import signal
from enum import Enum


class HangUp(Enum):
    """What a SIGHUP means."""

    RELOAD = "the program shall be read again"
    GONE = "the terminal is gone"
    SURVIVED = "the terminal is gone; the service was started with nohup and goes on"


class Terminal:
    """The controlling terminal, as it was at the start; to be made before SIGHUP is handled."""

    def __init__(self) -> None:
        self._was_there = _is_there()
        self._is_outlived = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup

    def hang_up(self) -> HangUp:
        """What a SIGHUP means that has come now."""
        if not self._was_there or _is_there():
            return HangUp.RELOAD
        if not self._is_outlived:
            return HangUp.GONE
        self._was_there = False  # the next one is somebody's who wants a reload
        return HangUp.SURVIVED


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
