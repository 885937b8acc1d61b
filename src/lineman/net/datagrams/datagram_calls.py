"""Many datagrams by one system call, and where each came from.

This is the plain-Python way, one call for each; compiled modules find the same functions in
`datagram_calls.h`, by `datagram_calls.pxd`.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

from lineman.net.loop.syscalls import borrowed

# No datagram is longer (RFC 768: the length has 16 bits).
ROOM = 65536
# ip(7): which address of ours a datagram was sent to. `socket` has the name from Python 3.14 on.
IP_PKTINFO = 8
_CONTROL_ROOM = 64
_FOUR = struct.Struct("i4s4s")  # in_pktinfo: the interface, our address, the one in the header
_SIX = struct.Struct("16si")  # in6_pktinfo: our address, the interface
_GROUPS = 0xFF  # the first byte of IPv6 addresses of groups (RFC 4291, section 2.7)

# What the kernel says of an address to send from that is none of this machine.
_NOT_OURS = (errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL)

# The address of a peer as `socket` has it, and the packed one of ours; empty where it is not known.
# In C one structure, as bytes.
Sender = tuple[Any, bytes]
# What came: bytes, flags and sender of each. In C memory for 32 of them.
Batch = list[tuple[bytes, int, Sender]]


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
                data, said, flags, peer = udp.recvmsg(ROOM, _CONTROL_ROOM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            batch.append((data, flags, (peer, _local(said))))
    return len(batch)


def _local(said: list[tuple[int, int, bytes]]) -> bytes:
    for level, kind, data in said:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            four: bytes = _FOUR.unpack_from(data)[1]
            return four
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            six: bytes = _SIX.unpack_from(data)[0]
            return b"" if six[0] == _GROUPS else six
    return b""


def is_cut(batch: Batch, index: int) -> bool:
    """Whether there was no room for all of a datagram."""
    return bool(batch[index][1] & socket.MSG_TRUNC)


def data_of(batch: Batch, index: int) -> bytes:
    """The bytes of a datagram."""
    return batch[index][0]


def sender_of(batch: Batch, index: int) -> Sender:
    """Who has sent it."""
    return batch[index][2]


def sender_at(ip: bytes, port: int, scope: int) -> Sender:
    """Somebody to send to.

    Args:
        ip: 4 or 16 bytes.
        port: from 0 to 65535.
        scope: the number of the interface of a link-local address; 0 for others.
    """
    if len(ip) == 4:
        return (socket.inet_ntop(socket.AF_INET, ip), port), b""
    return (socket.inet_ntop(socket.AF_INET6, ip), port, 0, scope), b""


def send(fd: int, sender: Sender, data: bytes) -> int:
    """Sends a datagram; 1 if the kernel took it, 0 where it has no room.

    It leaves from the address that the sender had sent to, as far as that is known.

    Raises:
        OSError: it cannot be sent, such as one that is too long.
    """
    peer, local = sender
    said = []
    if len(local) == 4:
        said = [(socket.IPPROTO_IP, IP_PKTINFO, _FOUR.pack(0, local, bytes(4)))]
    elif local:
        said = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _SIX.pack(local, 0))]
    try:
        with borrowed(fd) as udp:
            udp.sendmsg([data], said, socket.MSG_DONTWAIT, peer)
    except OSError as error:
        if said and error.errno in _NOT_OURS:
            # What it was sent to is no address of ours (any more): a broadcast, say.
            return send(fd, (peer, b""), data)
        if error.errno in (errno.EAGAIN, errno.ENOBUFS):
            return 0
        raise
    return 1


def address_of(sender: Sender) -> tuple[str, int]:
    """Address and port of a sender."""
    return sender[0][0], sender[0][1]


def local_ip_of(sender: Sender) -> str:
    """The address of ours that was sent to; empty where it is not known."""
    local = sender[1]
    if not local:
        return ""
    return socket.inet_ntop(socket.AF_INET if len(local) == 4 else socket.AF_INET6, local)
