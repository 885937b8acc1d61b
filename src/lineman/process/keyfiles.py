"""Files that only root may read, for children that are not root: kept in memory, never on disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from lineman.process.owner import Owner, acting_as

logger = logging.getLogger("lineman")

# How often the master looks whether one of them has changed.
LOOK = 5.0


class KeyFiles:
    """Copies of files in memory, whose descriptors children inherit.

    A child opens `/dev/fd/N` in place of the file. When the file changes, so does what the child
    finds there, and its time of change: to the child it looks like the file itself.
    """

    def __init__(self) -> None:
        self._kept: dict[str, int] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._next_look = 0.0

    def for_child(self, paths: Iterable[str], owner: Owner | None) -> dict[str, int]:
        """Descriptors of those files that this user cannot read, and this process can."""
        if owner is None or owner.uid == 0:
            return {}
        return {path: self._keep(path) for path in paths if self._is_needed(path, owner)}

    def _is_needed(self, path: str, owner: Owner) -> bool:
        if path in self._kept:
            return True
        with acting_as(owner):
            is_readable = os.access(path, os.R_OK, effective_ids=True)
        return not is_readable and os.access(path, os.R_OK)

    def _keep(self, path: str) -> int:
        if path not in self._kept:
            descriptor = os.memfd_create("lineman-key", os.MFD_CLOEXEC)
            os.fchmod(descriptor, 0o444)
            self._kept[path] = descriptor
            self._copy(path)
        return self._kept[path]

    def _copy(self, path: str) -> None:
        found = os.stat(path)
        with open(path, "rb") as file:
            content = file.read()
        descriptor = self._kept[path]
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        self._seen[path] = (found.st_mtime_ns, found.st_ino)

    def refresh(self, now: float) -> bool:
        """Copies again what has changed on disk, if it is time to look; whether something has."""
        if not self._kept or now < self._next_look:
            return False
        self._next_look = now + LOOK
        has_changed = False
        for path in self._kept:
            try:
                found = os.stat(path)
                if (found.st_mtime_ns, found.st_ino) != self._seen[path]:
                    self._copy(path)
                    has_changed = True
            except OSError as error:
                logger.warning("cannot read %s again: %s", path, error.strerror)
        return has_changed

    def next_look(self) -> float | None:
        """When `refresh` has something to do; None for never."""
        return self._next_look if self._kept else None
