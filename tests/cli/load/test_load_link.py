"""Clients of a load test against a server that breaks the rules, byte by byte."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from lineman.cli.load.engine import LoadEngine, resolve
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.main import main
from lineman.protocols.http.requests import RequestParser
from lineman.protocols.websocket import frames, handshake
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse
from lineman.protocols.websocket.decoder import Close, Decoder, Event

DEADLINE = 20.0

Behaviour = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection."""

    def __init__(self, plain: socket.socket) -> None:
        self.plain = plain
        self._decoder = Decoder(1 << 26)
        self._events: list[Event] = []

    def read_request(self) -> str:
        """Reads a handshake and returns its key."""
        parser = RequestParser(16384, 0)
        requests: list[Any] = []
        while not requests:
            requests = parser.feed(self.plain.recv(65536))
        return handshake.check(requests[0])

    def open(self, tail: bytes = b"") -> None:
        self.plain.sendall(handshake.response(self.read_request()) + tail)

    def send(self, opcode: int, payload: bytes = b"") -> None:
        self.plain.sendall(frames.encode(opcode, payload))

    def receive(self) -> Event | None:
        """The next message or control frame; None at the end."""
        while not self._events:
            data = self.plain.recv(1 << 20)
            if not data:
                return None
            self._events = self._decoder.feed(data)
        return self._events.pop(0)

    def echo(self) -> None:
        """Answers every message until the client's close frame."""
        while not isinstance(event := self.receive(), Close | None):
            if isinstance(event, (str, bytes)):
                kind = frames.TEXT if isinstance(event, str) else frames.BINARY
                self.send(kind, event.encode() if isinstance(event, str) else event)
        with contextlib.suppress(OSError):
            self.send(frames.CLOSE, (1000).to_bytes(2, "big"))

    def reset(self) -> None:
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def server(behaviour: Behaviour) -> Iterator[str]:
    """Serves one connection; an error of the behaviour fails the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            listener.settimeout(DEADLINE)
            plain, _ = listener.accept()
            with plain:
                plain.settimeout(DEADLINE)
                behaviour(Peer(plain))

        done: Future[None] = pool.submit(serve)
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        done.result(DEADLINE)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any], str]]:
    def run(
        behaviour: Behaviour, *words: str, duration: str = "0.2"
    ) -> tuple[int, dict[str, Any], str]:
        with server(behaviour) as url:
            status = main(
                ["bench", url, "--connections", "1", "--json", "--duration", duration, *words]
            )
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else {}, err

    return run


Run = Callable[..., tuple[int, dict[str, Any], str]]


def test_a_ping_is_answered_with_its_payload(run: Run) -> None:
    heard: list[Event | None] = []

    def behaviour(peer: Peer) -> None:
        peer.open(frames.encode(frames.PING, b"are you there"))
        heard.append(peer.receive())
        peer.echo()

    status, _, _ = run(behaviour)
    assert status == 0
    assert getattr(heard[0], "payload", None) == b"are you there"


def test_frames_that_come_with_the_101_are_read(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.open(frames.encode(frames.TEXT, b"welcome"))
        peer.echo()

    status, values, _ = run(behaviour)
    assert status == 0
    assert values["other_messages"] == 1


def test_a_server_that_breaks_the_protocol_is_reported(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.open()
        peer.receive()
        peer.plain.sendall(frames.encode_masked(frames.TEXT, b"x", b"mask"))
        while peer.receive() is not None:
            pass

    status, values, _ = run(behaviour, duration="30")
    assert status == 1
    assert values["failures"] == {"the server broke the protocol: masked by a server": 1}


def test_a_reset_while_at_work_is_reported(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.open()
        peer.receive()
        peer.reset()

    status, values, _ = run(behaviour, duration="30")
    assert status == 1
    assert values["failures"] == {"connection lost without a close frame": 1}
    assert values["close_codes"] == {"1006": 1}


@pytest.mark.parametrize("is_reset", [False, True], ids=["end", "reset"])
def test_a_server_that_hangs_up_on_the_handshake_is_explained(run: Run, is_reset: bool) -> None:
    def behaviour(peer: Peer) -> None:
        peer.read_request()
        if is_reset:
            peer.reset()

    status, _, err = run(behaviour)
    assert status == 1
    assert "closed the connection without an answer to the handshake; fix:" in err


def test_a_refusal_that_ends_with_the_connection_is_quoted(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.plain.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\ncome back later")

    status, _, err = run(behaviour)
    assert status == 1
    assert "HTTP 503 (come back later); fix:" in err


def test_a_wrong_accept_key_is_explained(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.read_request()
        peer.plain.sendall(handshake.response("AAAAAAAAAAAAAAAAAAAAAA=="))

    status, _, err = run(behaviour)
    assert status == 1
    assert "its Sec-WebSocket-Accept does not belong to our key; fix:" in err


def test_something_else_than_http_is_explained(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.plain.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        peer.read_request()

    status, _, err = run(behaviour)
    assert status == 1
    assert "answered with something that is not HTTP (b'SSH-2.0-OpenSSH_')" in err


def test_what_the_socket_does_not_take_at_once_is_sent_later(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.open()
        # A ping while the client is stuck in the middle of a message: its pong must wait.
        peer.send(frames.PING, b"?")
        peer.echo()

    status, values, _ = run(behaviour, "--size", "8000000")
    assert status == 0
    assert values["latency_us"] is not None


def test_a_server_that_never_says_goodbye_is_not_waited_for_for_ever(run: Run) -> None:
    def behaviour(peer: Peer) -> None:
        peer.open()
        while peer.receive() is not None:
            pass

    status, values, _ = run(behaviour, "--mode", "idle", "--timeout", "0.2")
    assert status == 0
    assert values["close_codes"] == {"1006": 1}


def test_a_server_that_says_goodbye_and_does_not_hang_up_is_left() -> None:
    def behaviour(peer: Peer) -> None:
        peer.open()
        peer.echo()
        assert peer.plain.recv(100) == b""

    with server(behaviour) as url:
        target = parse(url)
        plan = Plan(ClientOpening(target), Mode.IDLE, connections=1, duration=0.2)
        found = resolve(target.host, target.port)
        result = LoadEngine(plan, found, None, lambda *_: None, hang_up=1).run()
    assert result.is_good
    assert result.close_codes == {1000: 1}


def test_the_goodbye_of_a_server_is_answered_with_its_code(run: Run) -> None:
    heard: list[Event | None] = []

    def behaviour(peer: Peer) -> None:
        peer.open()
        peer.receive()
        peer.send(frames.CLOSE, (1001).to_bytes(2, "big") + b"moving")
        heard.append(peer.receive())

    status, values, _ = run(behaviour, duration="30")
    assert status == 1
    assert heard == [Close(1001, "")]
    assert values["failures"] == {"closed by the server: 1001 going away": 1}
    assert values["close_codes"] == {"1001": 1}
