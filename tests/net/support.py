"""What the tests of `lineman.net` share: calls to wait for, and a service with clients to it."""

from __future__ import annotations

import contextlib
import gc
import os
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from lineman import Connection, Worker
from lineman.protocols.websocket.handshake import client_request
from lineman.testing.client import Client
from lineman.testing.serving import Serving

# An upper bound on every wait, far above what any of them needs: no test expects a certain speed.
DEADLINE = 20.0


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Returns as soon as something has become true."""
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


class Recorder:
    """A function that notes what it is called with, for another thread to wait for."""

    def __init__(self) -> None:
        self._calls: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, *args: Any) -> None:
        with self._changed:
            self._calls.append(args[0] if len(args) == 1 else args)
            self._changed.notify_all()

    @property
    def calls(self) -> list[Any]:
        """What it was called with so far: the argument, or a tuple of several."""
        with self._changed:
            return list(self._calls)

    def wait(self, count: int = 1) -> list[Any]:
        """All calls, once there are at least so many."""
        with self._changed:
            is_enough = self._changed.wait_for(lambda: len(self._calls) >= count, DEADLINE)
            assert is_enough, f"{len(self._calls)} calls and not {count}: {self._calls!r}"
            return list(self._calls)


class Ends:
    """Counts what a service tells about the coming and going of connections."""

    def __init__(self) -> None:
        self.connected = Recorder()
        self.closed = Recorder()
        self.callbacks: dict[str, Callable[..., Any]] = {
            "on_connect": lambda connection: self.connected(connection.id),
            "on_close": lambda connection, code, reason: self.closed(code, reason),
        }


class Site(Serving):
    """A running worker, and clients that speak to it as it wants."""

    def __init__(self, worker: Worker, client_tls: ssl.SSLContext | None) -> None:
        super().__init__(worker)
        self.client_tls = client_tls
        self.clients: list[Client] = []

    def connect(self, **options: Any) -> Client:
        """A connected client that has sent nothing yet but its TLS handshake."""
        options.setdefault("tls", self.client_tls)
        client = Client(self.port, **options)
        self.clients.append(client)
        return client

    def plain(self, **options: Any) -> Client:
        """A client that speaks no TLS, also where it should."""
        return self.connect(tls=None, **options)

    def open(
        self,
        target: str = "/",
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        **options: Any,
    ) -> Client:
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


def compressing(site: Site) -> Client:
    """An open websocket that may send compressed messages."""
    client = site.connect()
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    client.send_bytes(client_request("localhost", "/", key, extensions="permessage-deflate"))
    assert client.receive_reply().status == 101
    return client


def descriptors() -> set[tuple[int, str]]:
    """The open file descriptors of this process, each with what it is."""
    gc.collect()  # what earlier tests have dropped goes now, not while somebody counts
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists, and who closes just now
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
    return found


def wait_until_none_is_left(before: set[tuple[int, str]]) -> None:
    """Returns when no descriptor is open but those of `before`; what others close is theirs."""
    wait_until(lambda: descriptors() <= before, "everything that was opened is closed")


def echo(connection: Connection, message: str | bytes) -> None:
    """Sends back what came."""
    connection.send(message)


def still_serves(bystander: Client) -> None:
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
