"""A program's second address, which no cleaning of directories takes away: an abstract unix socket.

Its name says which pid file it stands for, and in which container: several of these may share a
network, and with it such names. Anybody may take any name, so who has it counts for something only
where the kernel says that it is root or this user.

Source: unix(7), "Abstract sockets"
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import time
from pathlib import Path

from lineman.process.masters import unix_sockets
from lineman.unixpeer import peer_pid, peer_uid

MAX_NAME = 107  # bytes, without the zero at the beginning
# A master that ends, or a command that looks, may have it for a moment longer.
PATIENCE = 0.5


class ClaimedError(Exception):
    """This user, or root, runs the program already.

    Attributes:
        pid: of its master; 0 where it is in another container.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pid = pid


def _prefix() -> str:
    return f"lineman {os.stat('/proc/self/ns/pid').st_ino} "


def _name(pid_file: Path) -> bytes:
    path = os.path.abspath(pid_file)
    name = os.fsencode(_prefix() + path)
    if len(name) > MAX_NAME:
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
        name = os.fsencode(f"{_prefix()}{digest}")
    return b"\0" + name


def take(pid_file: Path) -> socket.socket | None:
    """Takes the name that stands for a pid file; it is free again when the socket is closed.

    Returns:
        A socket that listens; None where a stranger has the name, who gains nothing by that.

    Raises:
        ClaimedError: this user, or root, has it.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(_name(pid_file))
            claim.listen()
        except OSError as error:
            claim.close()
            if error.errno != errno.EADDRINUSE:
                return None
            uid, pid = _who(_name(pid_file))
            if uid is not None and uid not in (0, os.geteuid()):
                return None
            if time.monotonic() >= deadline:
                raise ClaimedError(pid) from None
            time.sleep(0.02)
        else:
            claim.setblocking(False)
            return claim


def connect(end: socket.socket, pid_file: Path) -> bool:
    """Connects to the master that has the name of a pid file; False where nobody believed has it.

    Raises:
        TimeoutError: it takes no connection.
    """
    try:
        end.connect(_name(pid_file))
    except TimeoutError:
        raise
    except OSError:
        return False
    return peer_uid(end) in (0, os.geteuid())


def master_of(pid_file: Path) -> int:
    """The master that has the name of a pid file; 0 for none that is believed."""
    uid, pid = _who(_name(pid_file))
    return pid if uid in (0, os.geteuid()) else 0


def _who(name: bytes) -> tuple[int | None, int]:
    """The user and number of the process that has a name; None for none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.setblocking(False)
        try:
            end.connect(name)
        except OSError:  # none has it, or so many wait that it takes nobody
            return None, 0
        return peer_uid(end), peer_pid(end)


def find(file_name: str) -> Path | None:
    """The pid file of this name, in whatever directory, of a program that runs; None for none."""
    start = f"@{_prefix()}/"
    for _, path in unix_sockets():
        if path.startswith(start) and path.endswith(f"/{file_name}"):
            found = Path(path.removeprefix(start[:-1]))
            if master_of(found):
                return found
    return None
