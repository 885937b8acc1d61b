"""One client at its socket, against a server that says what it is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from kit.waiting import DEADLINE
from lineman.cli.websocket_client.client_socket import Wire
from lineman.errors import ConnectionLost
from lineman.protocols.http.requests import RequestParser
from lineman.protocols.websocket import frames, handshake
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse


@contextmanager
def server(behind: bytes | None) -> Iterator[ClientOpening]:
    """Opens one websocket, sends these bytes right behind, and hangs up; None: answers nothing."""

    def serve(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            [request] = RequestParser(16384, 0).feed(peer.recv(65536))
            if behind is not None:
                peer.sendall(handshake.response(handshake.check(request)) + behind)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        done = pool.submit(serve, listener)
        yield ClientOpening(parse(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))
        done.result(DEADLINE)


def test_what_comes_right_behind_the_handshake_is_not_lost() -> None:
    with server(frames.encode(frames.TEXT, b"welcome")) as opening:
        wire = Wire(opening, None, DEADLINE, 1.0)
        assert wire.early == ["welcome"]
        assert [step for step, _ in wire.timings.steps] == ["name", "TCP", "handshake"]
        assert wire.timings.total > 0
        assert wire.tls is None
        wire.close()


def test_an_end_without_a_close_frame_is_none() -> None:
    with server(b"") as opening:
        wire = Wire(opening, None, DEADLINE, 1.0)
        while (events := wire.read()) == []:
            pass
        assert events is None
        wire.close()


def test_a_server_that_hangs_up_on_the_handshake_is_lost() -> None:
    with server(None) as opening, pytest.raises(ConnectionLost):
        Wire(opening, None, DEADLINE, 1.0)
