"""The control socket of a master: one request, one reply, and children that may be late."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineman.process.master.control_socket import PATIENCE, Caller, ChildQuestions, ControlServer
from lineman.process.master.reactor import Channel, Reactor


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor(())
    yield made
    made.close()


class Children:
    """Two children that are sockets of the test's."""

    def __init__(self, reactor: Reactor) -> None:
        self.channels: dict[int, Channel] = {}
        self.ends: dict[int, socket.socket] = {}
        for number in (1, 2):
            own, self.ends[number] = socket.socketpair()
            self.channels[number] = Channel(reactor, own, lambda line: None, lambda: None, 1000)

    def close(self) -> None:
        for number, end in self.ends.items():
            end.close()
            self.channels[number].close()


@pytest.fixture
def children(reactor: Reactor) -> Iterator[Children]:
    made = Children(reactor)
    yield made
    made.close()


class Asking:
    """A caller that keeps its reply."""

    def __init__(self) -> None:
        self.replies: list[bytes] = []

    def reply_raw(self, parts: Iterable[bytes]) -> None:
        self.replies.append(b"".join(parts))


def composed(answers: dict[int, bytes]) -> list[bytes]:
    return [b"%d:%b " % (number, answers[number]) for number in sorted(answers)]


def test_a_caller_gets_its_reply_when_every_child_has_answered(children: Children) -> None:
    questions, caller = ChildQuestions(composed), Asking()
    questions.ask(caller, {"command": "status", "rows": 5}, children.channels, 100.0)
    asked = json.loads(children.ends[2].recv(1000))
    assert asked == {"rows": 5, "ask": "status", "id": asked["id"]}
    questions.take(2, asked["id"], b"two")
    assert caller.replies == []
    questions.take(1, asked["id"], b"one")
    assert caller.replies == [b"1:one 2:two "]
    assert questions.next_deadline() is None


@pytest.mark.parametrize("how", ["late", "gone"])
def test_a_child_that_is_late_or_gone_is_left_out(children: Children, how: str) -> None:
    questions, caller = ChildQuestions(composed), Asking()
    questions.ask(caller, {"command": "status"}, children.channels, 100.0)
    number = json.loads(children.ends[1].recv(1000))["id"]
    questions.take(1, number, b"one")
    assert questions.next_deadline() == 100.0 + PATIENCE
    if how == "gone":
        questions.leave(2)
    else:
        questions.expire(100.0 + PATIENCE / 2)
        assert caller.replies == []
        questions.expire(100.0 + PATIENCE)
    assert caller.replies == [b"1:one "]
    questions.take(2, number, b"too late")
    assert len(caller.replies) == 1


def test_without_children_the_reply_comes_at_once() -> None:
    questions, caller = ChildQuestions(composed), Asking()
    questions.ask(caller, {"command": "status"}, {}, 100.0)
    assert caller.replies == [b""]


class Served:
    """A control socket, and what was asked at it."""

    def __init__(self, reactor: Reactor, path: Path) -> None:
        self.reactor = reactor
        self.path = path
        self.requests: list[dict[str, Any]] = []
        self.server = ControlServer(reactor, path, self._on_request)

    def _on_request(self, caller: Caller, request: dict[str, Any]) -> None:
        self.requests.append(request)
        caller.reply({"ok": True})

    def say(self, words: bytes) -> Any:
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(20)
            end.connect(str(self.path))
            end.sendall(words)
            end.setblocking(False)
            said = b""
            while True:
                self.reactor.wait(0.1)
                try:
                    data = end.recv(1000)
                except BlockingIOError:
                    continue
                if not data:
                    return json.loads(said)
                said += data


@pytest.fixture
def served(reactor: Reactor, tmp_path: Path) -> Iterator[Served]:
    made = Served(reactor, tmp_path / "control.sock")
    yield made
    made.server.close()
    assert not made.path.exists()


def test_one_request_of_a_connection_is_answered_and_then_it_ends(served: Served) -> None:
    assert served.say(b'{"command":"status"}\n{"command":"stop"}\n') == {"ok": True}
    assert served.requests == [{"command": "status"}]


def test_rubbish_is_answered_with_what_is_wrong(served: Served) -> None:
    assert "a message that is no JSON" in served.say(b"rubbish\n")["error"]
    assert served.requests == []


def test_only_this_user_may_connect_and_a_removed_socket_is_made_anew(served: Served) -> None:
    assert served.path.stat().st_mode & 0o777 == 0o600
    assert served.server.restore() is None
    served.path.unlink()
    assert served.server.restore() == served.path
    assert served.say(b'{"command":"status"}\n') == {"ok": True}
