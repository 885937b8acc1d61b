"""Short paths for unix sockets in directories with long names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lineman.base.address import MAX_PATH
from lineman.errors import ConfigError

PROC = "/proc/self/fd"


@contextlib.contextmanager
def short_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """A path of the same socket that is short enough for the kernel, for `bind` or `connect`.

    A longer path is reached through its directory, which is held open under a short name.

    Args:
        path: the path of a socket whose directory exists.

    Raises:
        ConfigError: the name alone is too long, or /proc is not mounted.
        OSError: the directory does not exist.
    """
    path = os.fspath(path)
    size = len(os.fsencode(path))
    if size <= MAX_PATH:
        yield path
        return
    directory, name = os.path.split(path)
    room = MAX_PATH - len(f"{PROC}/1000000/")
    seen = f"the socket's path {path} has {size} bytes, the kernel takes {MAX_PATH}"
    if len(os.fsencode(name)) > room:
        raise ConfigError(seen, f"give a shorter name: {name!r} may have {room} bytes")
    if not os.path.isdir(PROC):
        raise ConfigError(
            f"{seen}, and without /proc a longer path cannot be used",
            "mount /proc, or name a shorter place: --pid-file /run/chat.pid, or pid_file=",
        )
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"{PROC}/{descriptor}/{name}"
    finally:
        os.close(descriptor)
