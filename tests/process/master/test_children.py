"""The master's child processes: how each is started, its messages, and why it ended."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lineman.process.master.child_events import MAX_RATE
from lineman.process.master.children import Children, Program, cause_of
from lineman.process.master.description import Place
from lineman.process.master.reactor import Reactor
from lineman.process.messages.lines import encode, encode_answer

PROGRAM = Program((sys.executable, "app.py", "-v"), "/srv", "app.py")


def test_a_module_takes_the_place_of_the_program_and_its_words() -> None:
    assert PROGRAM.in_place("") is PROGRAM
    module = PROGRAM.in_place("lineman.metrics.exporter")
    # -P: a file in the current directory is not imported in place of the module.
    assert module.command == (sys.executable, "-P", "-m", "lineman.metrics.exporter")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (3 << 8, "exit status 3"),
        (signal.SIGKILL, "signal 9 (SIGKILL)"),
        (signal.SIGSEGV | 0x80, "signal 11 (SIGSEGV)"),
        (signal.SIGRTMIN + 2, f"signal {signal.SIGRTMIN + 2}"),
    ],
)
def test_the_end_of_a_process_is_told_in_words(status: int, words: str) -> None:
    assert cause_of(status) == words


class Staff:
    """One child, which is a socket of the test's, and its messages."""

    def __init__(self, reactor: Reactor, popen: subprocess.Popen[bytes]) -> None:
        self.reactor = reactor
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: list[tuple[int, int, bytes]] = []
        self.children = Children(
            reactor,
            lambda child, name, details: self.events.append((name, details)),
            lambda *answer: self.answers.append(answer),
        )
        own, self.other = socket.socketpair()
        self.other.settimeout(20)
        place = Place("ws://0.0.0.0:80", 0, "chat", (), 1, 100)
        self.child = self.children.take(1, ("ws://0.0.0.0:80", 0, 0), place, popen, own)

    def hear(self, data: bytes) -> None:
        self.other.sendall(data)
        self.reactor.wait(20)


@pytest.fixture
def staff() -> Iterator[Staff]:
    reactor = Reactor(())
    with subprocess.Popen(["/bin/true"]) as popen:
        made = Staff(reactor, popen)
        yield made
    made.child.channel.close()
    made.other.close()
    reactor.close()


def test_events_and_answers_of_a_child_are_handed_over(staff: Staff) -> None:
    staff.hear(encode({"event": "beat", "lag": 0.5}) + encode_answer(7, [1]))
    assert staff.events == [("beat", {"lag": 0.5})]
    assert staff.answers == [(1, 7, b"[1]")]
    assert staff.child.lag == 0.5


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"rubbish\n", "it sends a message that is no JSON"),
        (encode({"event": "beat", "lag": 0}) * (MAX_RATE + 1), f"more than {MAX_RATE} messages"),
    ],
)
def test_a_child_that_sends_rubbish_or_too_much_is_heard_no_more(
    staff: Staff, caplog: pytest.LogCaptureFixture, said: bytes, why: str
) -> None:
    while not staff.child.channel.is_closed:
        staff.hear(said)
    assert len(staff.events) <= MAX_RATE
    assert why in caplog.text
    assert caplog.records[0].levelno == logging.ERROR
    staff.children.order(1, "stop")  # nothing is sent to it, and nothing fails


def test_orders_go_to_the_child_that_is_named_and_to_no_other(staff: Staff) -> None:
    staff.children.order(2, "stop")
    staff.children.order(1, "drain", code=1012)
    assert staff.other.recv(1000) == b'{"do":"drain","code":1012}\n'


def test_the_last_words_of_a_child_count_when_it_is_gone(staff: Staff) -> None:
    staff.other.sendall(encode({"event": "failed", "why": "no database"}))
    assert staff.children.gone(staff.child.pid + 1, 0) is None
    assert staff.children.gone(staff.child.pid, 1 << 8) is staff.child
    assert staff.events == [("failed", {"why": "no database"})]
    assert staff.child.popen.returncode == 1
    assert staff.children.children == {}
