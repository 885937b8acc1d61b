"""The master's event loop: sockets that carry lines both ways, and signals."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from lineman.process.master.reactor import Channel, Reactor


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    before = signal.getsignal(signal.SIGUSR2)
    reactor = Reactor([signal.SIGUSR2])
    yield reactor
    reactor.close()
    signal.signal(signal.SIGUSR2, before)


class Ends:
    """A channel, what it has received, and the socket at its other end."""

    def __init__(self, reactor: Reactor, limit: int = 1 << 30) -> None:
        self.reactor = reactor
        self.lines: list[bytes] = []
        self.has_ended = False
        own, self.other = socket.socketpair()
        self.other.settimeout(20)
        self.channel = Channel(reactor, own, self.lines.append, self._end, limit)

    def _end(self) -> None:
        self.has_ended = True

    def turn_until(self, count: int = 1) -> None:
        while len(self.lines) < count and not self.has_ended:
            self.reactor.wait(20)


@pytest.fixture
def ends(reactor: Reactor) -> Iterator[Ends]:
    made = Ends(reactor)
    yield made
    made.channel.close()
    made.other.close()


def test_lines_go_both_ways(ends: Ends) -> None:
    ends.other.sendall(b"one\ntwo\nthr")
    ends.turn_until(2)
    assert ends.lines == [b"one", b"two"]
    ends.channel.send(b"an", b"swer\n")
    assert ends.other.recv(100) == b"answer\n"


def test_the_end_is_told_once_after_the_last_line(ends: Ends) -> None:
    ends.other.sendall(b"last\n")
    ends.other.close()
    ends.turn_until(2)
    assert ends.lines == [b"last"]
    assert ends.has_ended
    ends.channel.send(b"nobody reads this\n")
    ends.channel.close()


def test_a_reader_that_is_slow_blocks_nobody(ends: Ends, reactor: Reactor) -> None:
    size = 20_000_000  # a table of a hundred thousand connections
    ends.channel.send(b"[", b"x" * size, b"]\n")  # comes back at once
    other = Ends(reactor)
    other.other.sendall(b"meanwhile\n")
    other.turn_until()
    assert other.lines == [b"meanwhile"]
    other.channel.close()
    other.other.close()
    ends.channel.close_when_sent()
    received: list[int] = []

    def read() -> None:
        while data := ends.other.recv(1 << 20):
            received.append(len(data))

    thread = threading.Thread(target=read)
    thread.start()
    while not ends.channel.is_closed:
        reactor.wait(20)
    thread.join()
    assert sum(received) == size + 3


def test_a_line_that_never_ends_ends_the_channel(reactor: Reactor) -> None:
    ends = Ends(reactor, limit=1000)
    ends.other.sendall(b"x" * 2000)
    ends.turn_until()
    assert ends.has_ended
    assert ends.lines == []
    ends.other.close()


def test_what_was_sent_before_the_end_can_be_drained(ends: Ends) -> None:
    ends.other.sendall(b"a\nb\n")
    ends.other.close()
    ends.channel.drain()
    assert ends.lines == [b"a", b"b"]


def test_a_socket_closed_by_an_earlier_one_of_the_same_turn_is_left_alone(reactor: Reactor) -> None:
    first, second = Ends(reactor), Ends(reactor)
    for each, victim in ((first, second), (second, first)):
        each.channel._on_line = lambda line, victim=victim: victim.channel.close()  # type: ignore[misc]
        each.other.sendall(b"now\n")
    reactor.wait(20)
    assert first.channel.is_closed != second.channel.is_closed
    for each in (first, second):
        each.channel.close()
        each.other.close()


def test_signals_are_reported_as_numbers(reactor: Reactor) -> None:
    os.kill(os.getpid(), signal.SIGUSR2)
    assert reactor.wait(20) == [signal.SIGUSR2]
    assert reactor.wait(0) == []
