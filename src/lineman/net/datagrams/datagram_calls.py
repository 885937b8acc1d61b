"""Many datagrams by one system call.

This is the plain-Python way, one call for each; compiled modules find the same functions in
`datagram_calls.h`, by `datagram_calls.pxd`.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from lineman.net.loop.syscalls import borrowed

# No datagram is longer (RFC 768: the length has 16 bits).
ROOM = 65536

# What came: bytes, flags and address of each. In C memory for `BATCH` of them.
Batch = list[tuple[bytes, int, Any]]
# The address of a peer. In C as the kernel has it.
Sender = Any


def new_batch() -> Batch:
    """Room for what comes at once."""
    return []


def receive(fd: int, batch: Batch, most: int) -> int:
    """Fills the batch with what waits; how many datagrams came, 0 for none.

    Args:
        fd: of the socket.
        batch: what was in it is gone.
        most: how many are taken; at most 32.

    Raises:
        OSError: the socket cannot be read.
    """
    batch.clear()
    with borrowed(fd) as udp:
        while len(batch) < most:
            try:
                data, _, flags, sender = udp.recvmsg(ROOM, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            batch.append((data, flags, sender))
    return len(batch)


def is_cut(batch: Batch, index: int) -> bool:
    """Whether there was no room for all of a datagram."""
    return bool(batch[index][1] & socket.MSG_TRUNC)


def data_of(batch: Batch, index: int) -> bytes:
    """The bytes of a datagram."""
    return batch[index][0]


def sender_of(batch: Batch, index: int) -> Sender:
    """Who has sent it."""
    return batch[index][2]


def send(fd: int, sender: Sender, data: bytes) -> int:
    """Sends a datagram; 1 if the kernel took it, 0 where it has no room.

    Raises:
        OSError: it cannot be sent, such as one that is too long.
    """
    with borrowed(fd) as udp:
        try:
            udp.sendto(data, socket.MSG_DONTWAIT, sender)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                return 0
            raise
    return 1


def address_of(sender: Sender) -> tuple[str, int]:
    """Address and port of a sender."""
    return sender[0], sender[1]
