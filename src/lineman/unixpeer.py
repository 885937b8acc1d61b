"""Who is at the other end of a unix socket, and whether that is whom its path stands for."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import struct
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


def peer_uid(end: socket.socket) -> int:
    """The user of the process at the other end, as the kernel knows it.

    Of a listening process it is the one that it was when it began to listen.
    """
    data = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(data)[1]
    return uid


def peer_pid(end: socket.socket) -> int:
    """The number of that process; 0 where it is in another container."""
    data = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(data)[0]
    return pid


def stranger(end: socket.socket, path: str | os.PathLike[str]) -> str:
    """The name of who listens at a path and is none of us; empty where it is no stranger.

    Root and this process' own user are none. To root, who looks after the services of others, the
    owner of the socket is none where not everybody may put one there.

    Args:
        end: connected to the path.
        path: of the socket.
    """
    uid, own = peer_uid(end), os.geteuid()
    if uid in (0, own) or (own == 0 and not is_open_to_all(path) and _owns(uid, Path(path))):
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def is_open_to_all(path: str | os.PathLike[str]) -> bool:
    """Whether everybody may put something at this path, or another directory on the way there."""
    written, real = Path(os.path.abspath(path)), Path(os.path.realpath(path))
    return any(
        directory.stat().st_mode & stat.S_IWOTH for directory in (*written.parents, *real.parents)
    )


def _owns(uid: int, path: Path) -> bool:
    return uid in (path.lstat().st_uid, path.parent.stat().st_uid)
