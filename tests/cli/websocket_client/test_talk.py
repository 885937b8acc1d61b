"""A conversation: what a line becomes, and what ends it."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from types import SimpleNamespace
from typing import Any

import pytest

from kit.waiting import DEADLINE
from lineman.cli.shared.waking import woken_by_signals
from lineman.cli.websocket_client.client_socket import Wire
from lineman.cli.websocket_client.screens import Pipe
from lineman.cli.websocket_client.talk import Conversation, Manners
from lineman.protocols.http.requests import RequestParser
from lineman.protocols.websocket import frames, handshake
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse


class SilentWire:
    """A server that sends nothing; SIGINT comes after `select` was called and before it waits.

    All of `fileno` is C: between two of its own instructions Python would handle the signal.
    """

    def __init__(self, fd: int) -> None:
        self.early: list[Any] = []
        raising = map(ctypes.PyDLL(None)["raise"], [signal.SIGINT])  # it returns 0
        self.fileno = partial(max, chain([fd], raising))

    def has_more(self) -> bool:
        return False


@pytest.fixture
def interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_just_before_the_waiting_begins_is_not_slept_through() -> None:
    ours, theirs = socket.socketpair()
    nothing, _keep = socket.socketpair()
    late = threading.Timer(DEADLINE, theirs.send, [b"!"])
    late.start()
    wire: Any = SilentWire(ours.fileno())
    with ours, theirs, nothing, _keep, woken_by_signals() as alarm:
        screen: Any = SimpleNamespace(fileno=nothing.fileno)
        conversation = Conversation(wire, screen, Manners(), alarm)
        with pytest.raises(KeyboardInterrupt):
            conversation.run()
        assert late.is_alive(), "it waited until something else came"
        late.cancel()


def test_a_server_that_never_falls_silent_does_not_keep_us(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def flood(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        [request] = RequestParser(16384, 0).feed(peer.recv(65536))
        peer.sendall(handshake.response(handshake.check(request)))
        with peer, contextlib.suppress(OSError):  # until we have gone, deaf to our close frame
            while True:
                peer.sendall(frames.encode(frames.TEXT, b"news") * 100)

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        open(os.devnull) as nothing,
        ThreadPoolExecutor() as threads,
        woken_by_signals() as alarm,
    ):
        threads.submit(flood, listener)
        opening = ClientOpening(parse(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))
        wire = Wire(opening, None, DEADLINE, 0.2)
        conversation = Conversation(wire, Pipe(nothing, io.StringIO()), Manners(count=1), alarm)
        assert conversation.run() == 1006
        wire.close()
    assert not conversation.is_good
    assert "lost: 1006 no answer to the close frame within 0.2 s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("manners", "line", "message"),
    [
        (Manners(), "好", "好"),
        (Manners(is_binary=True), "好\udcff", "好".encode() + b"\xff"),
        (Manners(is_hex=True), "00 ff", b"\x00\xff"),
    ],
)
def test_a_line_becomes_the_message_that_was_asked_for(
    manners: Manners, line: str, message: str | bytes
) -> None:
    assert manners.message(line) == message


@pytest.mark.parametrize(
    ("manners", "line", "words"),
    [(Manners(is_hex=True), "0", "hexadecimal"), (Manners(), "\udcff", "invalid start byte")],
)
def test_a_line_that_is_no_such_message_is_refused(manners: Manners, line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        manners.message(line)
