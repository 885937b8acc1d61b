"""The kernel's data about the processes of this machine, and about their sockets."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PROC = Path("/proc")


def pid_file_of(master: int) -> str | None:
    """The pid file of a master: it lies beside the control socket, and contains the pid."""
    own = {text[8:-1] for text in _descriptors(master) if text.startswith("socket:[")}
    for inode, path in unix_sockets():
        if inode not in own or not path.endswith(".sock"):
            continue
        bare = path.removesuffix(".sock")
        for found in (f"{bare}.pid", bare):
            if _content(found) == str(master):
                return found
    return None


def unix_sockets() -> list[tuple[str, str]]:
    """The inode and path of every unix socket of the machine that has a path.

    Source: proc_net(5), `/proc/net/unix`; an `@` begins the path of an abstract one.
    """
    try:
        lines = (PROC / "net" / "unix").read_text(errors="surrogateescape").splitlines()[1:]
    except OSError:
        return []
    fields = (line.split(None, 7) for line in lines)
    return [(each[6], each[7]) for each in fields if len(each) == 8]


def user_of(pid: int) -> int | None:
    """The user of a process; None if it has ended."""
    try:
        return (PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def children_of(pid: int) -> list[int]:
    """The processes that a process has started; none if it has ended."""
    try:
        words = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(word) for word in words.split()]


def _descriptors(pid: int) -> list[str]:
    folder = PROC / str(pid) / "fd"
    try:
        names = os.listdir(folder)
    except OSError:  # it has ended just now, or is another user's
        return []
    found = []
    for name in names:
        with contextlib.suppress(OSError):  # this one was closed just now
            found.append(os.readlink(folder / name))
    return found


def _content(path: str) -> str:
    """The beginning of a regular file; empty for others: reading a pipe would block."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.pread(opened, 32, 0).decode("ascii").strip()
    except (OSError, ValueError):
        return ""
    finally:
        os.close(opened)


def strings(path: Path) -> list[str]:
    """The words of a file such as `/proc/1/cmdline`; none if it cannot be read."""
    try:
        return os.fsdecode(path.read_bytes()).rstrip("\0").split("\0")
    except OSError:
        return []


def parent_of(pid: int) -> int:
    """The parent of a process; 0 if it is unknown."""
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
