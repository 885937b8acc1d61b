"""The plain-Python way of the system calls of datagrams; the compiled way does the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lineman.net.datagrams import datagram_calls as calls


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A bound socket, and one that is connected to it."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as ours,
        socket.socket(family, socket.SOCK_DGRAM) as theirs,
    ):
        ours.bind((request.param, 0))
        theirs.connect(ours.getsockname())
        yield ours, theirs


def test_what_waits_is_received_up_to_a_number_and_in_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    batch = calls.new_batch()
    assert calls.receive(ours.fileno(), batch, 2) == 0
    for data in (b"a", b"", b"c"):
        theirs.send(data)
    assert calls.receive(ours.fileno(), batch, 2) == 2
    assert [calls.data_of(batch, index) for index in (0, 1)] == [b"a", b""]
    assert not calls.is_cut(batch, 0)
    assert calls.receive(ours.fileno(), batch, 2) == 1
    assert calls.data_of(batch, 0) == b"c"
    assert calls.address_of(calls.sender_of(batch, 0)) == theirs.getsockname()[:2]
    assert calls.local_ip_of(calls.sender_of(batch, 0)) == ""


def test_a_sender_is_answered(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    batch = calls.new_batch()
    theirs.send(b"?")
    calls.receive(ours.fileno(), batch, 32)
    assert calls.send(ours.fileno(), calls.sender_of(batch, 0), b"!") == 1
    assert theirs.recv(10) == b"!"


def test_a_sender_can_be_made_of_an_address(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.close()
    with socket.socket(ours.family, socket.SOCK_DGRAM) as other:
        other.bind((ours.getsockname()[0], 0))
        packed = socket.inet_pton(ours.family, ours.getsockname()[0])
        sender = calls.sender_at(packed, other.getsockname()[1], 0)
        assert calls.address_of(sender) == other.getsockname()[:2]
        assert calls.send(ours.fileno(), sender, b"hi") == 1
        assert other.recv(10) == b"hi"


@pytest.mark.parametrize("is_ours", [True, False])
def test_the_address_that_was_asked_is_known_and_answers(is_ours: bool) -> None:
    """Where that address is not ours any more, another one answers."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        ours.setsockopt(socket.IPPROTO_IP, calls.IP_PKTINFO, 1)
        ours.bind(("0.0.0.0", 0))
        theirs.bind(("127.0.0.1", 0))
        theirs.sendto(b"?", ("127.0.0.9", ours.getsockname()[1]))
        batch = calls.new_batch()
        calls.receive(ours.fileno(), batch, 1)
        sender = calls.sender_of(batch, 0)
        assert calls.local_ip_of(sender) == "127.0.0.9"
        if not is_ours:
            sender = (sender[0], socket.inet_aton("192.0.2.77"))
        assert calls.send(ours.fileno(), sender, b"!") == 1
        assert theirs.recvfrom(10)[1][0] == ("127.0.0.9" if is_ours else "127.0.0.1")


def test_errors_of_the_kernel_are_raised(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    packed = socket.inet_pton(ours.family, ours.getsockname()[0])
    with pytest.raises(OSError, match=r"Invalid argument|Cannot assign"):
        calls.send(ours.fileno(), calls.sender_at(packed, 0, 0), b"to port 0")
    with pytest.raises(OSError, match="Message too long"):
        calls.send(ours.fileno(), calls.sender_at(packed, 9, 0), bytes(70_000))
    with pytest.raises(OSError, match="Bad file descriptor"):
        calls.receive(-1, calls.new_batch(), 1)
