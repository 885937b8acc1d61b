"""The meaning of signals from a terminal, or from the program that started this one there."""

from __future__ import annotations

import math
import os
import signal
from enum import Enum

# Seconds; a person who presses Ctrl-C again, because nothing seems to happen, takes longer.
ECHO = 0.5


class HangUp(Enum):
    """The meaning of a SIGHUP."""

    RELOAD = "a reload was asked for"
    GONE = "the terminal was closed"
    SURVIVED = "the terminal was closed; the service was started with nohup and continues"


class ControllingTerminal:
    """The controlling terminal at the start; make this before SIGHUP is handled."""

    def __init__(self) -> None:
        self._was_there = _is_there()
        self._told_at = -math.inf
        self._is_outlived = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup

    def is_echo(self, now: float) -> bool:
        """Whether a signal to stop only repeats the one before, and is not a second order.

        `timeout` of coreutils signals the program and then its process group, and the end of a
        shell may signal both it and its children: the same order arrives twice within milliseconds.

        Args:
            now: seconds, by the same clock for all calls.
        """
        if now - self._told_at < ECHO:
            return True
        self._told_at = now
        return False

    def hang_up(self) -> HangUp:
        """The meaning of a SIGHUP that has come now."""
        if not self._was_there or _is_there():
            return HangUp.RELOAD
        if not self._is_outlived:
            return HangUp.GONE
        self._was_there = False  # the next one asks for a reload
        return HangUp.SURVIVED


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
