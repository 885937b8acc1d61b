"""The bytes of one socket: corked, blocked, broken. What receives is tested through connections."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

import pytest

from lineman.net.loop.poller import Handler, Poller
from lineman.net.stream.stream import Stream
from lineman.net.stream.stream_status import BLOCKED, BROKE, QUIET, UNBLOCKED

LARGE = bytes(range(256)) * 4096  # more than a socket's buffer takes


class Owner(Handler):
    """Stands in the poller for its stream."""

    def on_events(self, events: int) -> None: ...

    def on_fault(self) -> None: ...

    def flush(self) -> None: ...


@pytest.fixture
def ends() -> Iterator[tuple[Stream, socket.socket]]:
    def later(function: Callable[[], None]) -> None: ...

    ours, peer = socket.socketpair()
    ours.setblocking(False)
    poller = Poller(later, clock=lambda: 0.0)
    fd = ours.detach()
    poller.add(fd, Owner())
    with peer:
        peer.setblocking(False)
        yield Stream(poller, fd, None), peer
        poller.forget(fd)
        poller.close()
        os.close(fd)


def drain(peer: socket.socket) -> bytes:
    """All that has arrived."""
    found = bytearray()
    try:
        while data := peer.recv(1 << 20):
            found += data
    except BlockingIOError:
        pass
    return bytes(found)


def test_what_is_written_in_a_turn_waits_and_leaves_together(
    ends: tuple[Stream, socket.socket],
) -> None:
    stream, peer = ends
    stream.write(b"ab")
    stream.write(b"cd")
    assert (stream.unsent(), drain(peer)) == (4, b"")
    assert stream.flush() == QUIET
    assert (stream.unsent(), drain(peer), stream.bytes_written) == (0, b"abcd", 4)


def test_more_than_the_kernel_takes_is_kept_in_order_and_the_end_of_it_is_told_once(
    ends: tuple[Stream, socket.socket],
) -> None:
    stream, peer = ends
    stream.write(b"first")
    stream.write(LARGE)
    stream.write(b"last")
    assert stream.flush() == BLOCKED
    assert stream.is_blocked
    assert 0 < stream.unsent() < len(LARGE)
    found = drain(peer)
    while (said := stream.flush()) == BLOCKED:
        found += drain(peer)
    found += drain(peer)
    assert said == UNBLOCKED
    assert stream.flush() == QUIET
    assert found == b"first" + LARGE + b"last"


def test_a_peer_that_has_gone_is_told_and_nothing_waits_for_it(
    ends: tuple[Stream, socket.socket],
) -> None:
    stream, peer = ends
    peer.close()
    stream.write(b"x")
    assert stream.flush() == BROKE
    assert isinstance(stream.error, BrokenPipeError)
    stream.write(LARGE)
    assert stream.unsent() == 0
