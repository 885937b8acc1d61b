"""A client's socket without HTTP: what it makes of bytes and of ends."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from kit.waiting import DEADLINE, wait_until
from lineman.cli.websocket_client.stream_wire import StreamWire
from lineman.cli.websocket_client.talk import Conversation, Manners
from lineman.client.stream_target import StreamTarget, parse
from lineman.protocols.events import Close
from lineman.testing.certificates import IssuedPair


@contextmanager
def server(act: Callable[[socket.socket], None], scheme: str = "text") -> Iterator[StreamTarget]:
    """One connection that is served by this function."""

    def serve(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(DEADLINE)
            act(peer)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        done: Future[None] = pool.submit(serve, listener)
        target = parse(f"{scheme}://localhost:{listener.getsockname()[1]}")
        assert isinstance(target, StreamTarget)
        yield target
        done.result(DEADLINE)


def all_events(wire: StreamWire) -> list[Any]:
    """What comes up to the end; None for one that is no good end."""
    found: list[Any] = []

    def is_over() -> bool:
        events = wire.read()
        found.extend([None] if events is None else events)
        return bool(found) and (found[-1] is None or isinstance(found[-1], Close))

    wait_until(is_over, "its end")
    return found


@pytest.mark.parametrize(
    ("scheme", "sent", "is_text", "shown"),
    [
        ("text", b"a\n\xc3\xbc\r\n", True, ["a", "ü"]),
        ("frame", b"\0\0\0\5a\0\0\0\5\xff", True, ["a", b"\xff"]),
        ("frame", b"\0\0\0\5a", False, [b"a"]),
        ("tcp", b"one\r\n", True, ["one"]),
        ("tcp", b"one\r\n", False, [b"one\r\n"]),
    ],
)
def test_bytes_become_text_where_they_are_text(
    scheme: str, sent: bytes, is_text: bool, shown: list[Any]
) -> None:
    with server(lambda peer: peer.sendall(sent), scheme) as target:
        wire = StreamWire(target, None, DEADLINE, 1.0, is_text)
        assert all_events(wire) == [*shown, Close(1000, "")]
        wire.close()


def test_over_tcp_a_line_is_sent_with_its_end_and_bytes_as_they_are() -> None:
    with server(lambda peer: None, "tcp") as target:
        wire = StreamWire(target, None, DEADLINE, 1.0, True)
        assert (wire.encode("hi"), wire.encode(b"hi")) == (b"hi\n", b"hi")
        wire.close()


@pytest.mark.parametrize("is_good", [True, False])
def test_with_tls_an_end_of_tcp_alone_is_no_good_end(pair: IssuedPair, is_good: bool) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)

    def hang_up(peer: socket.socket) -> None:
        secured = context.wrap_socket(peer, server_side=True)
        secured.sendall(b"bye\n")
        if is_good:
            secured.unwrap()
        else:
            socket.socket.shutdown(secured, socket.SHUT_WR)
        secured.close()

    insecure = ssl.create_default_context()
    insecure.check_hostname = False
    insecure.verify_mode = ssl.CERT_NONE
    with server(hang_up, "text+tls") as target:
        wire = StreamWire(target, insecure, DEADLINE, 1.0, True)
        found: list[Any] = []
        wait_until(lambda: found.extend(wire.read() or []) or found, "a line")
        assert found[0] == "bye"
        if is_good:
            wire.say_close(1000, "")
        rest = found[1:] or all_events(wire)
        assert rest == ([Close(1000, "")] if is_good else [None])
        wire.close()


class Silence:
    """A screen without input, which notes what it is told."""

    is_terminal = False

    def __init__(self) -> None:
        self.said: list[str] = []
        self._end, self._fd = socket.socketpair()
        self._end.close()

    def fileno(self) -> int:
        return self._fd.fileno()

    def lines(self) -> None:
        return None

    def show(self, text: str) -> None: ...

    def tell(self, text: str) -> None:
        self.said.append(text)

    def end(self) -> None:
        self._fd.close()


class Lines(Silence):
    """A screen whose input is a few lines."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self._lines: list[str] | None = list(lines)

    def lines(self) -> Any:
        lines, self._lines = self._lines, None
        return lines


def test_a_message_that_the_protocol_cannot_carry_is_told_and_the_next_ones_are_sent() -> None:
    got: list[bytes] = []

    def hear(peer: socket.socket) -> None:
        while data := peer.recv(100):
            got.append(data)

    ours, theirs = socket.socketpair()
    with server(hear) as target, ours, theirs:
        wire, screen = StreamWire(target, None, DEADLINE, DEADLINE, True), Lines("61 0a 62", "63")
        manners = Manners(is_hex=True, wait=0.05)
        conversation = Conversation(wire, screen, manners, ours.fileno())
        assert conversation.run() == 1000
        wire.close()
        screen.end()
    assert b"".join(got) == b"c\n"
    assert screen.said[0].startswith("not sent: a message of text:// is one line")
    assert not conversation.is_good


def test_a_service_that_never_ends_its_side_is_left() -> None:
    has_left = threading.Event()

    def never_end(peer: socket.socket) -> None:
        while peer.recv(100):
            pass
        has_left.wait(DEADLINE)

    ours, theirs = socket.socketpair()
    with server(never_end) as target, ours, theirs:
        wire, screen = StreamWire(target, None, DEADLINE, 0.2, True), Silence()
        assert Conversation(wire, screen, Manners(wait=0.05), ours.fileno()).run() == 1006
        wire.close()
        screen.end()
        has_left.set()
    assert screen.said == ["lost: 1006 the server did not end its side within 0.2 s"]
