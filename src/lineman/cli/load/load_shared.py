"""What all links of a load test share."""

from __future__ import annotations

import select
import socket
import ssl
from typing import Any, Generic, TypeVar

from lineman.cli.load.load_talk import StreamOpening
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.masks import Masks

BUFFER_SIZE = 256 * 1024
HANG_UP = 1_000_000_000  # nanoseconds that a server has to end TCP after its close frame

L = TypeVar("L")


class Net(Generic[L]):
    """What all links share, and the links themselves by their descriptors.

    Args:
        opening: what their handshakes say, or the protocol without one.
        address: where they connect to, as `getaddrinfo` gives it.
        tls: how they speak TLS; None for plain connections.
        timeout: nanoseconds that the way to an open connection may take.
        hang_up: nanoseconds that a server has to end the connection after its close frame.
    """

    def __init__(
        self,
        opening: ClientOpening | StreamOpening,
        address: tuple[socket.AddressFamily, Any],
        tls: ssl.SSLContext | None,
        timeout: int,
        hang_up: int = HANG_UP,
    ) -> None:
        self.opening = opening
        self.family, self.place = address
        self.tls = tls
        self.timeout = timeout
        self.hang_up = hang_up
        self.new_mask = Masks().take
        self.links: dict[int, L] = {}
        self.buffer = memoryview(bytearray(BUFFER_SIZE))
        self.epoll = select.epoll()
