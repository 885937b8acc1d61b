"""System calls on bare descriptors."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lineman.net.loop import syscalls
from lineman.net.loop.syscalls import AGAIN, ENDED

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    one.setblocking(False)
    with one, other:
        yield one, other


def test_not_now_is_no_error_and_the_end_is_told_from_it(pair: Pair) -> None:
    one, other = pair
    buffer = memoryview(bytearray(10))
    assert (syscalls.receive(one.fileno(), buffer, 10), syscalls.peek(one.fileno())) == (
        AGAIN,
        AGAIN,
    )
    assert not syscalls.waits(one.fileno())
    other.shutdown(socket.SHUT_WR)
    assert (syscalls.receive(one.fileno(), buffer, 10), syscalls.peek(one.fileno())) == (0, ENDED)
    assert syscalls.waits(one.fileno())


def test_a_look_takes_nothing_and_a_read_no_more_than_it_may(pair: Pair) -> None:
    one, other = pair
    other.sendall(b"abc")
    buffer = memoryview(bytearray(10))
    assert syscalls.peek(one.fileno()) == ord("a")
    assert syscalls.receive(one.fileno(), buffer, 2) == 2
    assert bytes(buffer[:3]) == b"ab\0"


def test_pieces_leave_in_order_until_the_kernel_takes_no_more(pair: Pair) -> None:
    one, other = pair
    assert syscalls.send_two(one.fileno(), b"abX", 2, b"cdX", 2) == 4
    assert syscalls.send_from(one.fileno(), b"XefX", 1, 2) == 2
    assert other.recv(10) == b"abcdef"
    while syscalls.send(one.fileno(), bytes(65536)) != AGAIN:
        pass
    assert syscalls.send_two(one.fileno(), b"a", 1, b"b", 1) == AGAIN


def test_the_peer_sees_the_end_while_somebody_else_holds_the_descriptor(pair: Pair) -> None:
    one, other = pair
    copy = one.dup()
    syscalls.close_fd(one.detach())
    with copy:
        assert other.recv(1) == b""


def test_who_has_finished_writing_reads_on(pair: Pair) -> None:
    one, other = pair
    syscalls.finish_writing(one.fileno())
    assert other.recv(1) == b""
    other.sendall(b"x")
    assert syscalls.peek(one.fileno()) == ord("x")


def test_a_connection_is_accepted_with_its_address_and_does_not_block() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        assert syscalls.accept(listener.fileno()) is None
        with socket.create_connection(listener.getsockname()) as client:
            found = None
            while found is None:
                found = syscalls.accept(listener.fileno())
            fd, peer = found
            assert peer == client.getsockname()
            assert syscalls.local_address(fd) == client.getpeername()
            assert syscalls.peek(fd) == AGAIN
            syscalls.close_fd(fd)


def test_a_descriptor_that_is_closed_is_an_error_and_lends_nothing() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"), syscalls.borrowed(-1):
        pass
