"""The store in which a process leaves the listening sockets that it has opened itself, for the next
process of its seat.

The master keeps a pair of sockets for a seat, and never looks into it. The store holds one datagram
with the sockets of the present process. The next process copies the sockets, and replaces the
datagram with its own when it is ready. So neither a reload nor a crash closes a port that only the
program knows.

A process of the service's user has put the datagram there, and an attacker may control that
process: its content is not trusted.

Source: unix(7), "SCM_RIGHTS"; recvmsg(2), `MSG_PEEK`
"""

from __future__ import annotations

import json
import os
import socket
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass

# Sockets that one datagram carries (SCM_MAX_FD is 253), and the bytes of their names.
MAX_SOCKETS = 250
MAX_BYTES = 64 * 1024
# The most datagrams that are read: the kernel queues ten, on a few systems 512.
MAX_QUEUE = 1024

_LOOK = socket.MSG_PEEK | socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
_SPACE = socket.CMSG_SPACE((MAX_SOCKETS + 3) * array("i").itemsize)


@dataclass(frozen=True, slots=True)
class Label:
    """The description of one socket.

    Attributes:
        address: of the worker, as the program writes it.
        file: device and inode of a unix socket's file; None for a port.
    """

    address: str
    file: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """The description of all sockets.

    Attributes:
        owner: the process that has left them.
        count: how many notes it has left before.
        labels: one for each, in their order.
    """

    owner: int
    count: int
    labels: tuple[Label, ...]


def pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a new store: what is sent into the first waits in the second."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


class SocketStore:
    """The store of a seat, in a process of this seat.

    Args:
        ends: descriptors of its two ends.
    """

    def __init__(self, ends: Sequence[int]) -> None:
        first, second = ends
        self._in = socket.socket(fileno=first)
        self._out = socket.socket(fileno=second)
        self._count = 0

    def descriptors(self) -> list[int]:
        """The descriptors of its two ends."""
        return [self._in.fileno(), self._out.fileno()]

    def note(self) -> Note | None:
        """The note that describes the stored sockets; None if the store is empty or unreadable."""
        found = self._peek()
        return None if found is None else _read(found)

    def copy(self) -> list[tuple[Label, socket.socket]]:
        """The waiting sockets, each with its description; they stay in the store.

        The caller must check each socket that it uses, and close the others.
        """
        try:
            data, messages, flags, _ = self._out.recvmsg(MAX_BYTES, _SPACE, _LOOK)
        except OSError:
            return []
        descriptors = _descriptors(messages)
        note = _read(data)
        if note is None or flags & socket.MSG_CTRUNC or len(note.labels) != len(descriptors):
            for each in descriptors:
                os.close(each)
            return []
        found = []
        for label, each in zip(note.labels, descriptors, strict=True):
            try:
                found.append((label, socket.socket(fileno=each)))
            except OSError:  # it is no socket
                os.close(each)
        return found

    def put(self, sockets: Sequence[tuple[Label, int]]) -> None:
        """Stores these descriptors in place of the earlier ones.

        Raises:
            OSError: the kernel refuses them; the store is unchanged.
        """
        labels = tuple(label for label, _ in sockets)
        data = json.dumps(asdict(Note(os.getpid(), self._count, labels))).encode()
        rights = array("i", [descriptor for _, descriptor in sockets])
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            self._in.sendmsg([data], control, socket.MSG_DONTWAIT)
        except BlockingIOError:  # garbage has filled it
            self.clear()
            self._in.sendmsg([data], control, socket.MSG_DONTWAIT)
        self._count += 1
        for _ in range(MAX_QUEUE):
            first = self._peek()
            if first is None or first == data:
                return
            self._drop()

    def clear(self) -> None:
        """Empties the store; a socket that no other process holds is closed."""
        for _ in range(MAX_QUEUE):
            if not self._drop():
                return

    def _peek(self) -> bytes | None:
        try:
            return self._out.recv(MAX_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return None

    def _drop(self) -> bool:
        try:
            self._out.recv(1, socket.MSG_DONTWAIT)  # the kernel closes what came with it
        except OSError:
            return False
        return True


def _descriptors(messages: Sequence[tuple[int, int, bytes]]) -> array[int]:
    found = array("i")
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found


def _read(data: bytes) -> Note | None:
    import msgspec  # most processes find the store empty

    try:
        return msgspec.json.decode(data, type=Note)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
