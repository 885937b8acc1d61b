"""Whether the terminal that started the program is still there."""

from __future__ import annotations

import os


class Terminal:
    """The controlling terminal, as it was at the start."""

    def __init__(self) -> None:
        self._was_there = _is_there()

    def is_gone(self) -> bool:
        """Whether there was one and it has been closed; SIGHUP means that then."""
        return self._was_there and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
