"""What a running program has on disk is made anew where somebody has removed it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from lineman.errors import ConfigError

logger = logging.getLogger("lineman")

# Cleaners of /tmp, and an end of session that takes /run/user/1000 along, come at any time.
EVERY = 2.0


class Upkeep:
    """Looks from time to time whether everything is still there.

    Args:
        parts: each makes one thing anew where it is gone, and returns its path then, else None. It
            may raise OSError or ConfigError.
    """

    def __init__(self, parts: Sequence[Callable[[], Path | None]]) -> None:
        self._parts = parts
        self._fault = ""
        self.next_look = 0.0

    def look(self, now: float) -> None:
        """Looks, where it is time to."""
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
