"""A worker that serves inside of the test's process, and clients to it."""

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
    """A running worker, and clients that speak to it as it wants."""

    def __init__(self, worker: Worker, client_tls: ssl.SSLContext | None) -> None:
        super().__init__(worker)
        self.client_tls = client_tls
        self.clients: list[RawClient] = []

    def connect(self, **options: Any) -> RawClient:
        """A connected client that has sent nothing yet but its TLS handshake."""
        options.setdefault("tls", self.client_tls)
        client = RawClient(self.port, **options)
        self.clients.append(client)
        return client

    def plain(self, **options: Any) -> RawClient:
        """A client that speaks no TLS, also where it should."""
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
        """Lets time pass for the service's connections, without waiting for it."""
        service = self.worker.service
        assert service is not None
        for _ in range(round(seconds / 0.25)):
            self.call(service.wheel.advance, 0.25)

    def wait_until_empty(self) -> None:
        """Returns when no client's descriptor is left in the service."""
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
    """Sends back what came."""
    connection.send(message)


def still_serves(bystander: RawClient) -> None:
    """Fails unless a client that has done nothing wrong has its message echoed."""
    bystander.send("still here")
    assert bystander.receive() == "still here"


def client_hello(context: ssl.SSLContext) -> bytes:
    """What a client says first in TLS."""
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
