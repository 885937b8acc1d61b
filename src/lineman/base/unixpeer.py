"""The user at the other end of a unix socket, and whether it is the expected one."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import struct
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


def peer_uid(end: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel reports it.

    For a listening process it is the user at the time when it began to listen.
    """
    data = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(data)[1]
    return uid


def peer_pid(end: socket.socket) -> int:
    """The pid of the process at the other end; 0 if it is in another container."""
    data = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(data)[0]
    return pid


def stranger(end: socket.socket, path: str | os.PathLike[str]) -> str:
    """The other user that listens at a path, as text; empty if it is an expected user.

    Root and this process' own user are expected. For root, which manages other users' services, the
    owner of the socket is expected too, unless other users may create files there.

    Args:
        end: a socket that is connected to the path.
        path: the path of the listening socket.
    """
    uid, own = peer_uid(end), os.geteuid()
    if uid in (0, own) or (own == 0 and not open_directory(path) and _owns(uid, Path(path))):
        return ""
    return user_in_words(uid)


def user_in_words(uid: int) -> str:
    """`user "www-data"`, or `user 1234` if the number has no name."""
    try:
        return f'user "{pwd.getpwuid(uid).pw_name}"'
    except KeyError:
        return f"user {uid}"


def open_directory(path: str | os.PathLike[str]) -> Path | None:
    """A directory that lets any user replace the file at this path; None if there is none.

    It is the directory of the path, or one above it. A directory with the sticky bit, such as /tmp,
    does not count for an entry of root's, because other users cannot remove that entry.
    """
    written, real = Path(os.path.abspath(path)), Path(os.path.realpath(path))
    for way in (written, real):
        for entry in (way, *way.parents):
            mode = entry.parent.stat().st_mode
            if mode & stat.S_IWOTH and not (mode & stat.S_ISVTX and _is_roots(entry)):
                return entry.parent
    return None


def refusal(path: str | os.PathLike[str]) -> str:
    """Why this process' user may not connect to an existing socket, and which user may."""
    me = user_in_words(os.geteuid())
    try:
        found = os.lstat(path)
    except OSError:
        directory = Path(os.path.abspath(path)).parent
        return f"{me} may not look into {_closed(directory)}; run it as the service's user"
    owner = user_in_words(found.st_uid)
    return (
        f"{me} may not connect to the socket of {owner} (mode {stat.S_IMODE(found.st_mode):04o}); "
        f"run it as {owner}"
    )


def _closed(directory: Path) -> str:
    """The first directory of a path that this process' user may not search, and its owner."""
    for each in (*reversed(directory.parents), directory):
        if not os.access(each, os.X_OK, effective_ids=True):
            return f"the directory {each} of {user_in_words(each.stat().st_uid)}"
    return f"the directory {directory}"


def _is_roots(entry: Path) -> bool:
    try:
        return entry.lstat().st_uid == 0
    except FileNotFoundError:
        return False


def _owns(uid: int, path: Path) -> bool:
    return uid in (path.lstat().st_uid, path.parent.stat().st_uid)
