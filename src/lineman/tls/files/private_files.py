"""Directories and files for keys: no other user may write there; writes are atomic and locked."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from lineman.errors import ConfigError


def prepare_directory(directory: Path, danger: str) -> None:
    """Make the directory (0700), or raise where someone else could put files into it.

    Args:
        directory: its parents are made, too.
        danger: as for `check_directory`.

    Raises:
        ConfigError: as for `check_directory`.
        OSError: it cannot be made or looked at.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    check_directory(directory, danger)


def check_directory(directory: Path, danger: str) -> None:
    """Raise where someone else could put files into a directory.

    Args:
        directory: it exists.
        danger: what another user with write access could do, such as `replace the keys in it`.

    Raises:
        ConfigError: it is not a directory, belongs to another user, or others may write to it.
        OSError: it cannot be looked at.
    """
    found = directory.stat()
    path = shlex.quote(str(directory))
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"{directory} is not a directory", "give another, or remove that file")
    if os.geteuid() not in (0, found.st_uid):
        raise ConfigError(
            f"the directory {directory} belongs to the user {found.st_uid}, this process runs as "
            f"{os.geteuid()}",
            f"sudo chown -R {os.geteuid()} {path}, or give another directory",
        )
    if found.st_mode & 0o022:
        raise ConfigError(
            f"others may write to the directory {directory} (mode "
            f"{stat.S_IMODE(found.st_mode):04o}), and so {danger}",
            f"chmod 700 {path}",
        )


def is_private(path: Path) -> bool:
    """Whether nobody but its owner may read or write the file."""
    return path.stat().st_mode & 0o077 == 0


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock file and hold it; the kernel frees it when the process ends."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock file until it is closed; None if another process has it."""
    descriptor = _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def write(path: Path, data: bytes, mode: int) -> None:
    """Write a file atomically, never readable by more users than `mode` allows; locked.

    Raises:
        OSError: it could not be written; the old file is unchanged.
    """
    half = path.with_name(f".{path.name}.half")
    half.unlink(missing_ok=True)  # of a process that was killed here
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        half.replace(path)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make the rename survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
