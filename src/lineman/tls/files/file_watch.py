"""Reports when files have changed, and when they no longer change.

A certificate and its key are two files, and a renewal writes one after the other: if a change does
not work yet, it is checked again before it is reported.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from lineman.tls.files.inherited_files import where

Stamp: TypeAlias = tuple[int, ...]


class Change(enum.Enum):
    """The result of a look at the files."""

    NONE = enum.auto()
    NEW = enum.auto()
    RESTED = enum.auto()


class FileWatch:
    """Watches the files of one certificate; the caller looks at them regularly.

    A file may be a link, or lie below a link: the target counts. A new owner or mode is a change as
    well, because it may make a file readable.

    Args:
        paths: files, or directories whose entries count.
    """

    __slots__ = ("_handled", "_paths", "_seen")

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self._paths = tuple(os.path.abspath(path) for path in paths)
        self._handled = self._seen = self._look()

    def look(self) -> Change:
        """NEW for a change; RESTED if the files are unchanged since then; else NONE.

        A change is reported at each look, as NEW or RESTED, until `settle` is called.
        """
        now = self._look()
        is_rested = now == self._seen
        self._seen = now
        if now == self._handled:
            return Change.NONE
        return Change.RESTED if is_rested else Change.NEW

    def settle(self) -> None:
        """Accepts the files of the last look as known, whether they work or not."""
        self._handled = self._seen

    def _look(self) -> tuple[Stamp, ...]:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(where(path))
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
