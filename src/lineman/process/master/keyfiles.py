"""Keys that only root may read, for children that are not root: kept in memory, never on disk.

The program names the files. So root reads only files that the first description has named, passes
on only certificates and private keys from them, and follows no link that other users may have made.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lineman.errors import ConfigError
from lineman.process.master.description import Place
from lineman.process.master.pemblocks import BlockKind, blocks
from lineman.process.master.rights import RESTART
from lineman.process.rundir.owner import Owner, acting_as
from lineman.process.rundir.paths import open_file

logger = logging.getLogger("lineman")

# Seconds between the master's looks whether a file has changed.
LOOK = 5.0
MAX_SIZE = 4 * 1024 * 1024
# O_NONBLOCK: opening a FIFO does not wait.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# A file has changed if any of these numbers has changed.
_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _Copy:
    """A file's blocks in memory.

    Attributes:
        written: a descriptor of the memory, which only this process has.
        given: a read-only descriptor of it, which children inherit.
    """

    kinds: frozenset[BlockKind]
    written: int
    given: int
    stamp: _Stamp


class KeyFiles:
    """Copies of keys and certificates in memory, whose descriptors children inherit.

    A child opens `/dev/fd/N` in place of the file. When the file changes, the copy changes, and
    also its time of change: to the child it looks like the file itself.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], _Copy] = {}
        self._named: set[tuple[int, str]] | None = None
        self._next_look = 0.0

    def pin(self, users: Iterable[tuple[Place, Owner | None]]) -> None:
        """From the first call on, only files are read that these workers name for these users."""
        if self._named is None:
            self._named = {
                (owner.uid, path)
                for place, owner in users
                if owner is not None
                for path, _ in _kinds_of(place)
            }

    def for_child(self, place: Place, owner: Owner | None) -> dict[str, int]:
        """Descriptors of those files of a worker that this process can read, and its user cannot.

        Raises:
            ConfigError: a file holds no certificate or key, its path could be changed by other
                users, or it was not named at the start.
        """
        if owner is None or owner.uid == 0 or os.geteuid() != 0:
            return {}
        return {
            path: self._keep(path, kinds, owner)
            for path, kinds in _kinds_of(place)
            if (owner.uid, path) in self._kept or not _can_read(path, owner)
        }

    def _keep(self, path: str, kinds: frozenset[BlockKind], owner: Owner) -> int:
        known = self._kept.get((owner.uid, path))
        if known is None:
            if self._named is not None and (owner.uid, path) not in self._named:
                raise ConfigError(
                    f"{owner.name} may not read {path}, and root reads for that user only files "
                    "that were named when the program was started",
                    f"{RESTART}, or let {owner.name} read it",
                )
            content, stamp = _read(path, kinds, owner)
            written = os.memfd_create("lineman-key", os.MFD_CLOEXEC)
            os.fchmod(written, 0o444)
            given = os.open(f"/proc/self/fd/{written}", os.O_RDONLY | os.O_CLOEXEC)
            known = self._kept[owner.uid, path] = _Copy(kinds, written, given, stamp)
            _write(written, content)
        elif not kinds <= known.kinds:
            raise ConfigError(f"{path} was not named as a key before", RESTART)
        return known.given

    def refresh(self, now: float) -> bool:
        """Copies changed files again, if it is time to look; returns whether any has changed."""
        if not self._kept or now < self._next_look:
            return False
        self._next_look = now + LOOK
        has_changed = False
        for (_, path), copy in self._kept.items():
            try:
                has_changed = self._look(path, copy) or has_changed
            except OSError as error:
                logger.warning("cannot read %s again: %s", path, error.strerror)
        return has_changed

    def _look(self, path: str, copy: _Copy) -> bool:
        with os.fdopen(open_file(path, _FLAGS), "rb") as file:
            stamp = _stamp(file.fileno())
            if stamp == copy.stamp:
                return False
            copy.stamp = stamp
            content = blocks(_content(file.fileno()), copy.kinds)
        if not content:
            logger.warning("%s no longer holds a %s; the old one stays", path, _words(copy.kinds))
            return False
        _write(copy.written, content)
        return True

    def next_look(self) -> float | None:
        """The time for the next call of `refresh`; None for never."""
        return self._next_look if self._kept else None


def _kinds_of(place: Place) -> Iterator[tuple[str, frozenset[BlockKind]]]:
    for path in dict.fromkeys((*place.certificates, *place.keys)):
        kinds = {BlockKind.CERTIFICATE} if path in place.certificates else set()
        if path in place.keys:
            kinds.add(BlockKind.KEY)
        yield path, frozenset(kinds)


def _can_read(path: str, owner: Owner) -> bool:
    """Whether the user can open the file, or can see that it does not exist."""
    with acting_as(owner):
        try:
            os.close(os.open(path, _FLAGS))
        except PermissionError:
            return False
        except OSError:
            return True
    return True


def _read(path: str, kinds: frozenset[BlockKind], owner: Owner) -> tuple[bytes, _Stamp]:
    """The blocks of a file that are of these kinds."""
    try:
        with os.fdopen(open_file(path, _FLAGS), "rb") as file:
            stamp = _stamp(file.fileno())
            found = blocks(_content(file.fileno()), kinds)
    except OSError as error:
        raise ConfigError(
            f"{owner.name} may not read {path}, and root does not read it for that user: "
            f"{(error.strerror or str(error)).lower()}",
            "give its real path, in a directory that only root may write to; or let "
            f"{owner.name} read it",
        ) from None
    if not found:
        raise ConfigError(
            f"{owner.name} may not read {path}, and root passes on nothing of it: it holds no "
            f"{_words(kinds)}",
            "give a PEM file of that kind",
        )
    return found, stamp


def _words(kinds: frozenset[BlockKind]) -> str:
    return " and no ".join(sorted(kind.value for kind in kinds))


def _stamp(descriptor: int) -> _Stamp:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    if found.st_size > MAX_SIZE:
        raise OSError(errno.EFBIG, f"it has {found.st_size} bytes, far more than a PEM file needs")
    return found.st_mtime_ns, found.st_ino, found.st_size


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, MAX_SIZE, 0)


def _write(descriptor: int, content: bytes) -> None:
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))
