"""The system calls of the data path, on bare file descriptors.

A descriptor is an int: no socket object for each connection. "Not now" is a return value and not
an exception wherever the system says it often.

This is the plain-Python way of them. Compiled modules find those that are in `syscalls.pxd` in
`syscalls.h`; what is done seldom has this way only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator

from lineman.base.buffers import Memory
from lineman.protocols.proxies.forwarded import UNIX

AGAIN = -1
ENDED = -2

# Of linux/tcp.h's struct tcp_info: tcpi_probes, tcpi_unacked, tcpi_last_ack_recv.
_TCP_INFO = struct.Struct("=3xB20xI28xI")
_NOWHERE = bytes(16)  # a struct sockaddr of AF_UNSPEC


@contextlib.contextmanager
def borrowed(fd: int) -> Iterator[socket.socket]:
    """The descriptor as a socket, for what is done seldom; it stays the caller's."""
    if fd < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    lent = socket.socket(fileno=fd)
    try:
        yield lent
    finally:
        lent.detach()


def receive(fd: int, buffer: memoryview, size: int) -> int:
    """Reads once into the buffer: bytes read, 0 at the end of the stream, AGAIN if none are there.

    Args:
        fd: where from.
        buffer: where to.
        size: bytes that are read at most; not more than the buffer has.

    Raises:
        OSError: the connection is broken.
    """
    try:
        return os.readv(fd, [buffer[:size]])
    except BlockingIOError:
        return AGAIN


def peek(fd: int) -> int:
    """The first byte that waits, without taking it; AGAIN or ENDED if there is none.

    Raises:
        OSError: the connection is broken.
    """
    try:
        with borrowed(fd) as tcp:
            first = tcp.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return AGAIN
    return first[0] if first else ENDED


def waits(fd: int) -> bool:
    """Whether bytes of the peer wait to be read, or nothing more can come."""
    try:
        return peek(fd) != AGAIN
    except OSError:
        return True


def send(fd: int, data: Memory) -> int:
    """Writes once: bytes that the kernel took, AGAIN if it takes none now.

    Raises:
        OSError: the connection is broken.
    """
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return AGAIN


def send_from(fd: int, data: Memory, start: int, size: int) -> int:
    """Like `send`, for `size` bytes of the data from `start` on."""
    with memoryview(data)[start : start + size] as part:
        return send(fd, part)


def send_two(fd: int, one: Memory, one_size: int, two: Memory, two_size: int) -> int:
    """Like `send`, for two pieces in one call: a large payload is not copied behind its header."""
    try:
        return os.writev(fd, [memoryview(one)[:one_size], memoryview(two)[:two_size]])
    except BlockingIOError:
        return AGAIN


def send_file(fd: int, file: int, offset: int, count: int) -> int:
    """Has the kernel send a part of a file: bytes that it took, AGAIN if it takes none now.

    Raises:
        OSError: the connection is broken, or the file cannot be read.
    """
    try:
        return os.sendfile(fd, file, offset, count)
    except BlockingIOError:
        return AGAIN


def accept(listener: int) -> tuple[int, tuple[str, int]] | None:
    """The next connection: its non-blocking descriptor, the peer's address and port, or None.

    A peer that comes through a unix socket has the address `unix` and the port 0.

    Args:
        listener: the descriptor of a socket that listens.

    Raises:
        OSError: the process or the system is out of descriptors or memory.
    """
    try:
        with borrowed(listener) as tcp:
            accepted, address = tcp.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return None
    accepted.setblocking(False)
    is_unix = accepted.family == socket.AF_UNIX
    return accepted.detach(), (UNIX, 0) if is_unix else (address[0], address[1])


def close_fd(fd: int) -> None:
    """Closes a connection's descriptor; the peer sees it even if another process holds it open."""
    with contextlib.suppress(OSError), borrowed(fd) as tcp:
        tcp.shutdown(socket.SHUT_RDWR)
    os.close(fd)


def reset(fd: int) -> None:
    """Breaks a TCP connection: the peer meets a reset, and no end that looks like a good one.

    What is unsent is lost. A unix socket has no resets; there this does nothing.
    """
    import ctypes  # most programs do not need it

    # See connect(2): an address of no family dissolves the association.
    ctypes.CDLL(None).connect(fd, _NOWHERE, len(_NOWHERE))


def unacknowledged(fd: int) -> float:
    """Seconds since the peer last acknowledged something; 0 if it has nothing to acknowledge.

    A unix socket has no acknowledgements; there it is 0.
    """
    try:
        with borrowed(fd) as tcp:
            info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return 0.0
    probes, segments, milliseconds = _TCP_INFO.unpack(info)
    return milliseconds / 1000 if probes or segments else 0.0


def hold_back(fd: int) -> None:
    """Has what is written from now on leave in as few packets as it fits.

    To be called where `let_go` or the end of the stream follows at once; nothing leaves before,
    unless it fills a packet.
    """
    _set_cork(fd, 1)


def let_go(fd: int) -> None:
    """Sends what was held back, and from now on each write as it comes."""
    _set_cork(fd, 0)


def _set_cork(fd: int, value: int) -> None:
    with contextlib.suppress(OSError), borrowed(fd) as tcp:  # a unix socket has no packets
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, value)


def finish_writing(fd: int) -> None:
    """Sends the end of the stream; reading goes on. A connection that is gone already is fine."""
    with contextlib.suppress(OSError), borrowed(fd) as tcp:
        tcp.shutdown(socket.SHUT_WR)


def local_address(fd: int) -> tuple[str, int]:
    """Address and port of our end; `unix` and 0 for a unix socket.

    Raises:
        OSError: the connection is gone.
    """
    with borrowed(fd) as tcp:
        name = tcp.getsockname()
    return (UNIX, 0) if isinstance(name, (str, bytes)) else (name[0], name[1])
