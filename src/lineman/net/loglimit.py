"""A log that strangers cannot fill: lines that any peer can cause are limited by their kind."""

from __future__ import annotations

import logging
from collections.abc import Callable

WINDOW = 60.0
LINES = 10


class LogLimit:
    """Logs at most ten lines of one kind a minute; says then how many it left out.

    Args:
        logger: where the lines go.
        clock: gives the time in seconds.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float]) -> None:
        self._logger = logger
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def log(self, level: int, kind: str, message: str, *args: object) -> None:
        """Logs the line unless its kind had its ten in this minute."""
        now = self._clock()
        start, count = self._windows.get(kind, (now, 0))
        if now - start >= WINDOW:
            if count > LINES:
                self._logger.log(level, "%d more lines were left out: %s", count - LINES, kind)
            start, count = now, 0
        self._windows[kind] = (start, count + 1)
        if count < LINES:
            self._logger.log(level, message, *args)
