"""The kernel's buffer of a UDP socket, and what it had to drop."""

from __future__ import annotations

import logging
import socket
import struct

logger = logging.getLogger("lineman")

_SO_MEMINFO = 55  # socket(7) does not have it; asm-generic/socket.h
_DROPS = 8  # SK_MEMINFO_DROPS in linux/sock_diag.h
_FIGURES = struct.Struct("9I")


def enlarge(udp: socket.socket, size: int, where: str) -> None:
    """Gives a socket a receive buffer, and tells the log if the kernel allows less.

    Args:
        udp: the socket.
        size: bytes that were asked for.
        where: the socket's address, for the log.
    """
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    # The kernel doubles the value, for its own bookkeeping (socket(7)).
    got = udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    if got < size:
        logger.warning(
            "%s: udp_receive_buffer is %d, and the kernel allows %d; "
            "raise its limit: sysctl -w net.core.rmem_max=%d",
            where,
            size,
            got,
            size,
        )


def size_of(udp: socket.socket) -> int:
    """Bytes of the buffer, as `enlarge` counts them."""
    return udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def drops_of(udp: socket.socket) -> int:
    """Datagrams that the kernel has dropped since the socket exists: its buffer was full.

    A damaged one (by its checksum) counts as well. The number begins again after 2^32.
    """
    figures = udp.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _FIGURES.size)
    return int(_FIGURES.unpack(figures)[_DROPS]) if len(figures) == _FIGURES.size else 0
