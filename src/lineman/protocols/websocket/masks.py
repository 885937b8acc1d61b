"""Masks of a client's frames.

Source: RFC 6455, sections 5.3 and 10.3.
"""

from __future__ import annotations

import os


class Masks:
    """Fresh masks: four random bytes at a time, drawn from the system in large portions.

    A mask must not be predictable; a system call for each would be most of what a message costs.
    """

    __slots__ = ("_next", "_pool")

    PORTION = 4096

    def __init__(self) -> None:
        self._pool = b""
        self._next = 0

    def take(self) -> bytes:
        """The next four bytes."""
        start = self._next
        if start >= len(self._pool):
            self._pool = os.urandom(self.PORTION)
            start = 0
        self._next = start + 4
        return self._pool[start : start + 4]
