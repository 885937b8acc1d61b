"""What all links of a load test share, and whom they tell what happens."""

from __future__ import annotations

import select
import socket
import ssl
from typing import TYPE_CHECKING, Any, Protocol

from lineman.cli.client.failures import Failure
from lineman.protocols.websocket.client.client_handshake import Opening
from lineman.protocols.websocket.masks import Masks

if TYPE_CHECKING:
    from lineman.cli.load.load_link import Link

BUFFER_SIZE = 256 * 1024


class User(Protocol):
    """Who owns links, and hears from them."""

    def on_open(self, client: Link, now: int) -> None:
        """The websocket is open."""
        ...

    def on_message(self, client: Link, message: str | bytes, now: int) -> None:
        """A message has come."""
        ...

    def after_read(self, client: Link, now: int) -> None:
        """All messages of one read have been told, or what had to wait is sent."""
        ...

    def on_close_code(self, code: int) -> None:
        """The server's close frame has come, or its end without one (1006)."""
        ...

    def on_failure(self, client: Link, failure: Failure) -> None:
        """Something went wrong; `on_gone` follows."""
        ...

    def on_gone(self, client: Link, now: int) -> None:
        """The link is closed."""
        ...


class Net:
    """What all links share.

    Args:
        opening: what their handshakes say.
        address: where they connect to, as `getaddrinfo` gives it.
        tls: how they speak TLS; None for plain connections.
        timeout: nanoseconds that the way to an open websocket may take.
    """

    def __init__(
        self,
        opening: Opening,
        address: tuple[socket.AddressFamily, tuple[Any, ...]],
        tls: ssl.SSLContext | None,
        timeout: int,
    ) -> None:
        self.opening = opening
        self.family, self.place = address
        self.tls = tls
        self.timeout = timeout
        self.new_mask = Masks().take
        self.links: dict[int, Link] = {}
        self.buffer = memoryview(bytearray(BUFFER_SIZE))
        self.epoll = select.epoll()
