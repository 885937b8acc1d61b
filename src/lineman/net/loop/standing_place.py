"""Where the program's code is while it keeps the event loop from going on.

A thread looks when the loop is late. What was called is no longer there when the loop goes on.
"""

from __future__ import annotations

import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

# Seconds between two looks, and those after which the loop counts as late.
PERIOD = 0.25
LATE = 0.75

_STANDARD = sysconfig.get_path("stdlib")
_LINEMAN = str(Path(__file__).parents[2])
_PACKAGES = ("site-packages", "dist-packages")


class StandingPlace:
    """Looks where the code is, for one event loop; to be made in its thread.

    Args:
        ticked_at: when the loop went on last, by `time.monotonic`.
    """

    def __init__(self, ticked_at: Callable[[], float]) -> None:
        self._ticked_at = ticked_at
        self._loop_thread = threading.get_ident()
        self._found: tuple[float, str] = 0.0, ""
        self._ended = threading.Event()
        name = "lineman-standing-place"
        self._thread = threading.Thread(target=self._look, name=name, daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._ended.set()

    def since(self, ticked_at: float) -> str:
        """Where the code was seen while the loop stood still since that time; empty if nowhere."""
        found_at, place = self._found
        return place if found_at == ticked_at else ""

    def _look(self) -> None:
        while not self._ended.wait(PERIOD):
            ticked_at = self._ticked_at()
            if time.monotonic() - ticked_at < LATE or self._found[0] == ticked_at:
                continue
            if place := place_of(sys._current_frames().get(self._loop_thread)):
                self._found = ticked_at, place


def place_of(frame: FrameType | None) -> str:
    """The program's own line that is at work, else a library's: `main.slow at /srv/main.py:12`.

    Args:
        frame: the innermost one of a thread.
    """
    library = ""
    while frame is not None:
        file = frame.f_code.co_filename
        module = frame.f_globals.get("__name__", "")
        place = f"{module}.{frame.f_code.co_qualname} at {file}:{frame.f_lineno}"
        if any(f"/{each}/" in file for each in _PACKAGES):
            library = library or place
        elif not file.startswith((_STANDARD, _LINEMAN, "<frozen")):
            return place
        frame = frame.f_back
    return library
