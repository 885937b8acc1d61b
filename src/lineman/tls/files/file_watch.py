"""Reports that files have changed, and that they no longer change.

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
    """What a look at the files has found."""

    NONE = enum.auto()
    NEW = enum.auto()
    RESTED = enum.auto()


class FileWatch:
    """Watches the files of one certificate, by looking at them now and then.

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
        """What has happened: NEW for a change; RESTED when it still stands at the next look.

        A change comes up again, as NEW or RESTED in turn, until `settle` is called.
        """
        now = self._look()
        is_rested = now == self._seen
        self._seen = now
        if now == self._handled:
            return Change.NONE
        return Change.RESTED if is_rested else Change.NEW

    def settle(self) -> None:
        """Takes what was seen at the last look as known, whether it works or not."""
        self._handled = self._seen

    def _look(self) -> tuple[Stamp, ...]:
        return tuple(_stamp(path) for path in self._paths)


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(where(path))
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
