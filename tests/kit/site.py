"""A worker that serves inside the test's process, and its clients."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from kit.waiting import wait_until
from lineman import Connection, Worker
from lineman.protocols.websocket.handshake import client_request
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

# Starts one: `serve(tls, on_message=…, max_message_size=…)`.
Serve = Callable[..., "Site"]


class Site(Serving):
    """A running worker, and clients that use its protocol and its TLS."""

    def __init__(self, worker: Worker, client_tls: ssl.SSLContext | None) -> None:
        super().__init__(worker)
        self.client_tls = client_tls
        self.clients: list[RawClient] = []

    def connect(self, **options: Any) -> RawClient:
        """A connected client that has sent only its TLS handshake yet."""
        options.setdefault("tls", self.client_tls)
        client = RawClient(self.port, **options)
        self.clients.append(client)
        return client

    def plain(self, **options: Any) -> RawClient:
        """A client without TLS, even if the worker demands it."""
        return self.connect(tls=None, **options)

    def open(
        self,
        target: str = "/",
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        **options: Any,
    ) -> RawClient:
        """An open websocket."""
        return self.connect(**options).open(target, headers, subprotocols)

    def close_clients(self) -> None:
        """Closes every client's socket."""
        for client in self.clients:
            client.close()

    @property
    def connection(self) -> Connection:
        """The only connection."""
        (connection,) = self.worker.connections.values()
        return connection

    def advance_clock(self, seconds: float) -> None:
        """Advances the clock of the service's connections, without waiting."""
        service = self.worker.service
        assert service is not None
        for _ in range(round(seconds / 0.25)):
            self.call(service.wheel.advance, 0.25)

    def wait_until_empty(self) -> None:
        """Returns once no client's descriptor is left in the service."""
        service = self.worker.service
        assert service is not None
        wait_until(
            lambda: len(self.call(service.poller.handlers)) == 1, "only the listener is left"
        )
        assert not self.worker.connections


def compressing(site: Site) -> RawClient:
    """An open websocket that may send compressed messages."""
    client = site.connect()
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    client.send_bytes(client_request("localhost", "/", key, extensions="permessage-deflate"))
    assert client.receive_reply().status == 101
    return client


def echo(connection: Connection, message: str | bytes) -> None:
    """Sends back the message."""
    connection.send(message)


def still_serves(bystander: RawClient) -> None:
    """Fails unless a correct client gets its message back."""
    bystander.send("still here")
    assert bystander.receive() == "still here"


def client_hello(context: ssl.SSLContext) -> bytes:
    """The first bytes of a client's TLS."""
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
