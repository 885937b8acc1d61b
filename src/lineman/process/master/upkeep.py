"""Creates files of a running program again if they were removed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from lineman.errors import ConfigError

logger = logging.getLogger("lineman")

# Seconds between looks: cleaners of /tmp, or the end of a session, which removes /run/user/1000,
# come at any time.
EVERY = 2.0


class Upkeep:
    """Checks from time to time that the files still exist.

    Args:
        parts: functions that create one file again if it is gone, and then return its path, else
            None. They may raise OSError or ConfigError.
    """

    def __init__(self, parts: Sequence[Callable[[], Path | None]]) -> None:
        self._parts = parts
        self._fault = ""
        self.next_look = 0.0

    def look(self, now: float) -> None:
        """Checks the files, if it is time."""
        if now < self.next_look:
            return
        self.next_look = now + EVERY
        made = []
        fault = ""
        for part in self._parts:
            try:
                path = part()
            except (ConfigError, OSError) as error:
                fault = fault or str(error)
            else:
                if path is not None:
                    made.append(str(path))
        if made:
            logger.warning(
                "%s was removed and is created again; see which program removes it", ", ".join(made)
            )
        if fault and fault != self._fault:
            logger.warning("a removed file cannot be created again: %s", fault)
        self._fault = fault
