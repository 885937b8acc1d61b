"""The five system calls of the data path, on bare file descriptors.

A descriptor is an int: no socket object for each connection. "Not now" is a return value and not
an exception wherever the system says it often.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

from lineman.protocols.proxies.forwarded import UNIX

try:
    import cython
except ImportError:
    from lineman.base import nocython as cython

AGAIN = -1
ENDED = -2


@contextlib.contextmanager
def borrowed(fd: int) -> Iterator[socket.socket]:
    """The descriptor as a socket, for what is done seldom; it stays the caller's."""
    lent = socket.socket(fileno=fd)
    try:
        yield lent
    finally:
        lent.detach()


def receive(fd: int, buffer: memoryview) -> int:
    """Reads once into the buffer: bytes read, 0 at the end of the stream, AGAIN if none are there.

    Raises:
        OSError: the connection is broken.
    """
    try:
        return os.readv(fd, [buffer])
    except BlockingIOError:
        return AGAIN


def receive_into(fd: int, room: bytearray, size: int) -> int:
    """Compiled only: `receive`, into C's memory."""
    assert cython.compiled
    count: int = lineman_recv(fd, room, size)
    if count == -2:
        raise last_error()
    return count


def send_from(fd: int, room: bytearray, size: int) -> int:
    """Compiled only: `send`, from C's memory."""
    assert cython.compiled
    count: int = lineman_send(fd, cython.cast(p_const_uchar, room), size)
    if count == -2:
        raise last_error()
    return count


def last_error() -> OSError:
    """Compiled only: what the last system call says."""
    try:
        if cython.compiled:
            PyErr_SetFromErrno(OSError)
    except OSError as error:
        return error
    return OSError()


def peek(fd: int) -> int:
    """The first byte that waits, without taking it; AGAIN or ENDED if there is none.

    Raises:
        OSError: the connection is broken.
    """
    if cython.compiled:
        found = lineman_peek(fd)
        if found == -3:
            PyErr_SetFromErrno(OSError)
        return found
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


def send(fd: int, data: bytes | bytearray | memoryview) -> int:
    """Writes once: bytes that the kernel took, AGAIN if it takes none now.

    Raises:
        OSError: the connection is broken.
    """
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return AGAIN


def accept(listener: socket.socket) -> tuple[int, tuple[str, int]] | None:
    """The next connection: its non-blocking descriptor, the peer's address and port, or None.

    A peer that comes through a unix socket has the address `unix` and the port 0.

    Raises:
        OSError: the process or the system is out of descriptors or memory.
    """
    if cython.compiled:
        fd = lineman_accept(listener.fileno(), ip_room, cython.address(port_room))
        if fd == AGAIN:
            return None
        if fd < 0:
            PyErr_SetFromErrno(OSError)
        return fd, (ip_room.decode("ascii"), port_room)
    try:
        accepted, address = listener.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return None
    accepted.setblocking(False)
    is_unix = accepted.family == socket.AF_UNIX
    return accepted.detach(), (UNIX, 0) if is_unix else (address[0], address[1])


def add_to_epoll(epoll: int, fd: int, events: int) -> None:
    """Compiled only: watches a descriptor.

    Raises:
        OSError: it cannot be watched, or is already.
    """
    assert cython.compiled
    if lineman_watch(epoll, fd, events) < 0:
        PyErr_SetFromErrno(OSError)


def close_fd(fd: int) -> None:
    """Closes a connection's descriptor; the peer sees it whoever else may hold it open."""
    if cython.compiled:
        lineman_close(fd)
        return
    with contextlib.suppress(OSError), borrowed(fd) as tcp:
        tcp.shutdown(socket.SHUT_RDWR)
    os.close(fd)


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
    if cython.compiled:
        lineman_set_cork(fd, value)
        return
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
