"""Opens files by path in a process that is root, through directories that are held open.

A link is followed only if root alone can have made it: in a directory of root's that no other user
may write to, below others of that kind. Elsewhere only plain files are opened, so that no user can
lead root to another file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lineman.process.rundir.owner import Owner, acting_as

# Opens a path with flags and, for a new file, a mode.
Opener: TypeAlias = Callable[[str | Path, int, int], int]

# Opens the directory of a path: gives its descriptor, and the name of the file in it.
OpenFolder: TypeAlias = Callable[[Path], AbstractContextManager[tuple[int, str]]]

# The number of links that the kernel follows (path_resolution(7)).
MAX_LINKS = 40
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePathError(PermissionError):
    """Other users can change where a path leads, so root does not follow it."""

    def __init__(self, what: str, path: str | Path) -> None:
        super().__init__(errno.EPERM, what, str(path))


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory that is held open.

    Attributes:
        is_fixed: whether only root can have replaced it.
        is_roots: whether, besides, only root can create files in it.
        is_sticky: whether others may add files to it, but not remove those of root.
    """

    descriptor: int
    is_fixed: bool
    is_roots: bool
    is_sticky: bool

    def below(self, descriptor: int) -> _Directory:
        """A directory that lies in it."""
        found = os.fstat(descriptor)
        return _directory(
            descriptor, self.is_roots or (self.is_sticky and self.is_fixed and found.st_uid == 0)
        )


def _directory(descriptor: int, is_fixed: bool) -> _Directory:
    found = os.fstat(descriptor)
    is_closed = found.st_uid == 0 and not found.st_mode & 0o022
    is_sticky = found.st_uid == 0 and bool(found.st_mode & stat.S_ISVTX)
    return _Directory(descriptor, is_fixed, is_fixed and is_closed, is_sticky)


class _Walk:
    """Follows a path, one name after the other."""

    def __init__(self, path: str | Path, held: ExitStack) -> None:
        self._path = os.path.abspath(path)
        self._held = held
        self._links = 0
        self._top = _directory(self._hold(os.open("/", _DIRECTORY)), True)

    def _hold(self, descriptor: int) -> int:
        self._held.callback(os.close, descriptor)
        return descriptor

    def to_last(self) -> tuple[_Directory, str]:
        """The directory of the path's last name, after all links, and that name; `.` for `/`."""
        here = self._top
        names = _names(self._path)
        while names:
            name = names.pop()
            if names:
                found = self._step(here, name)
                if found is not None:
                    here = found
                    continue
            elif not _is_link(here, name) or _is_magic(here):
                return here, name
            target = self._follow(here, name)
            here = self._top if target.startswith("/") else here
            names += _names(target)
        return here, "."

    def _step(self, here: _Directory, name: str) -> _Directory | None:
        """The directory of this name; None for a link."""
        try:
            opened = os.open(name, _DIRECTORY, dir_fd=here.descriptor)
        except NotADirectoryError:
            if _is_link(here, name):
                return None
            raise
        return here.below(self._hold(opened))

    def _follow(self, here: _Directory, name: str) -> str:
        if not here.is_roots:
            raise UnsafePathError(f"{name!r} is a link that other users may have made", self._path)
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        return os.readlink(name, dir_fd=here.descriptor)


def _names(path: str) -> list[str]:
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _is_link(here: _Directory, name: str) -> bool:
    try:
        found = os.stat(name, dir_fd=here.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISLNK(found.st_mode)


def _is_magic(here: _Directory) -> bool:
    """Whether links there are the kernel's own, such as /proc/self/fd/1."""
    try:
        return here.is_roots and os.fstat(here.descriptor).st_dev == os.stat("/proc").st_dev
    except FileNotFoundError:
        return False


def open_file(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """The descriptor of a file, for root.

    Args:
        path: the file's path.
        flags: as for `os.open`.
        mode: the mode of a new file.

    Raises:
        UnsafePathError: other users may have made a link on the way, or the file itself: it has
            a second name, and may be a file that they cannot write.
        OSError: as from `os.open`.
    """
    with ExitStack() as held:
        here, name = _Walk(path, held).to_last()
        nofollow = 0 if _is_magic(here) else os.O_NOFOLLOW
        opened = os.open(name, flags | nofollow | os.O_CLOEXEC, mode, dir_fd=here.descriptor)
        found = os.fstat(opened)
        if not here.is_roots and stat.S_ISREG(found.st_mode) and found.st_nlink != 1:
            os.close(opened)
            raise UnsafePathError("other users may have given it this name: it has two names", path)
        return opened


def is_roots_alone(path: str | Path) -> bool:
    """Whether only root can replace this directory.

    Raises:
        OSError: the directory does not exist.
    """
    try:
        with ExitStack() as held:
            here, name = _Walk(path, held).to_last()
            opened = os.open(name, _DIRECTORY, dir_fd=here.descriptor)
            held.callback(os.close, opened)
            return here.below(opened).is_fixed
    except UnsafePathError:
        return False


def opener(owner: Owner | None = None) -> Opener:
    """A function that opens files with a user's rights.

    Args:
        owner: the user; None for the rights of this process, which as root follows only safe paths.
    """

    def with_those_rights(path: str | Path, flags: int, mode: int = 0o600) -> int:
        with acting_as(owner):
            return os.open(path, flags | os.O_CLOEXEC, mode)

    if owner is None and os.geteuid() == 0:
        return open_file
    return with_those_rights


def folder_opener(owner: Owner | None = None) -> OpenFolder:
    """A function that opens the directory of a file with a user's rights, to rename the file in it.

    As long as the directory is open, the process has that user's rights. A link at the end of the
    path is followed.

    Args:
        owner: the user; None for the rights of this process, which as root follows only safe paths.
    """

    @contextmanager
    def with_those_rights(path: Path) -> Iterator[tuple[int, str]]:
        with ExitStack() as held:
            if owner is None and os.geteuid() == 0:
                here, name = _Walk(path, held).to_last()
                yield here.descriptor, name
                return
            held.enter_context(acting_as(owner))
            real = os.path.realpath(path)
            folder = os.open(os.path.dirname(real), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            held.callback(os.close, folder)
            yield folder, os.path.basename(real)

    return with_those_rights
