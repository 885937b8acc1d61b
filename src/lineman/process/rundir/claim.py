"""Further addresses of a program: abstract sockets, which remain when directories are cleaned.

One name contains the pid file, the other the program; both contain the container, because several
containers may share a network, and with it such names. Any user may take any name. So the holder is
believed only if the kernel says that it is root or this user.

Source: unix(7), "Abstract sockets"; proc_net(5)
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from lineman.base.unixpeer import peer_pid, peer_uid
from lineman.process.rundir.procfs import pid_file_of, unix_sockets

MAX_NAME = 107  # bytes, without the zero at the beginning
# Seconds to wait: an ending master, or a command that looks, may have it for a moment.
PATIENCE = 0.5


class ClaimedError(Exception):
    """This user, or root, runs the program already.

    Attributes:
        pid: the pid of its master; 0 if it is in another container.
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
        A socket that listens; None if another user has the name, which is harmless.

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
    """Connects to the master that has the name of a pid file; False if no trusted process has it.

    Raises:
        TimeoutError: it accepts no connection.
    """
    try:
        end.connect(_name(pid_file))
    except TimeoutError:
        raise
    except OSError:
        return False
    return peer_uid(end) in (0, os.geteuid())


def master_of(pid_file: Path) -> int:
    """The pid of the master that has the name of a pid file; 0 if no trusted process has it."""
    uid, pid = _who(_name(pid_file))
    return pid if uid in (0, os.geteuid()) else 0


def _who(name: bytes) -> tuple[int | None, int]:
    """The user and pid of the process that has a name; None for none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.setblocking(False)
        try:
            end.connect(name)
        except OSError:  # no process has it, or its queue is full
            return None, 0
        return peer_uid(end), peer_pid(end)


@dataclass(frozen=True, slots=True)
class Runner:
    """A process that runs a program, or claims to.

    Attributes:
        uid: the user, as the kernel reports it.
        pid: the pid of the master.
        pid_file: the path of its pid file; None if it is unknown.
    """

    uid: int
    pid: int
    pid_file: Path | None

    @property
    def is_believed(self) -> bool:
        """Whether it is root or this user."""
        return self.uid in (0, os.geteuid())


def announce(program: str, pid_file: Path) -> socket.socket | None:
    """Publishes that a program runs, with its pid file.

    Args:
        program: its name, as `rundir.name_of` returns it.
        pid_file: the pid file, which this process holds.

    Returns:
        A socket that listens; None if another process has the name.
    """
    place = os.path.abspath(pid_file).removesuffix(f"/{program}.pid")
    if place != os.path.abspath(pid_file):
        place += "/"
    name = b"\0" + os.fsencode(f"{_prefix()}{program} {place}")
    if len(name) > MAX_NAME:
        digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
        name = b"\0" + os.fsencode(f"{_prefix()}{program} #{digest}")
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.bind(name)
        end.listen()
    except OSError:
        end.close()
        return None
    end.setblocking(False)
    return end


def runners(program: str) -> list[Runner]:
    """The processes that run a program of this name, with any pid file; believed ones first."""
    return _runners(re.escape(program))


def namesakes(program: str) -> list[Runner]:
    """The believed processes that run a program with the same file name from another place."""
    stem = re.escape(program.rpartition("-")[0])
    found = _runners(rf"(?!{re.escape(program)} ){stem}-[0-9a-f]{{8}}")
    return [each for each in found if each.is_believed]


def _runners(pattern: str) -> list[Runner]:
    """The processes whose program's name matches a regular expression."""
    wanted = re.compile(rf"@{re.escape(_prefix())}({pattern}) (.+)", re.DOTALL)
    matches = (wanted.fullmatch(name) for name in {path for _, path in unix_sockets()})
    found = []
    for match in filter(None, matches):
        uid, pid = _who(b"\0" + os.fsencode(match[0][1:]))
        if uid is not None:
            program, place = match[1], match[2]
            told = f"{place}{program}.pid" if place.endswith("/") else place
            known = pid_file_of(pid) if place.startswith("#") else told
            found.append(Runner(uid, pid, None if known is None else Path(known)))
    return sorted(found, key=lambda each: (not each.is_believed, each.pid))


def holder_of(pid_file: Path) -> Runner | None:
    """The holder of a pid file's name, believed or not; None if there is none."""
    uid, pid = _who(_name(pid_file))
    return None if uid is None else Runner(uid, pid, pid_file)
