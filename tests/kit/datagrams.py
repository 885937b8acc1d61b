"""A `udp://` worker that serves inside the test's process, and sockets that send to it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from kit.waiting import DEADLINE
from lineman.net.service import Service
from lineman.testing.serving import Serving

# Starts one: `serve(on_message=…, udp_amplification=4)`.
ServeDatagrams = Callable[..., "DatagramSite"]


class UdpClient(socket.socket):
    """A socket that talks to one port of this machine."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str = "") -> None:
        super().__init__(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.settimeout(DEADLINE)
        if source:
            self.bind((source, 0))
        self.connect((host, port))

    @property
    def name(self) -> tuple[str, int]:
        """Its own address and port."""
        ip, port = self.getsockname()[:2]
        return ip, port

    def ask(self, data: bytes) -> bytes:
        """Sends a datagram, and returns the next that comes."""
        self.send(data)
        return self.recv(65536)


class DatagramSite(Serving):
    """A running `udp://` worker, and its clients."""

    clients: list[UdpClient]

    def client(self, host: str = "127.0.0.1", source: str = "") -> UdpClient:
        """A client of its own port."""
        client = UdpClient(self.port, host, source)
        self.clients = [*getattr(self, "clients", ()), client]
        return client

    def close_clients(self) -> None:
        """Closes every client's socket."""
        for client in getattr(self, "clients", ()):
            client.close()

    @property
    def service(self) -> Service:
        """What serves it."""
        service = self.worker.service
        assert service is not None
        return service

    @property
    def hits(self) -> dict[str, int]:
        """How often each limit has turned a datagram away."""
        return self.call(lambda: dict(self.service.tally.hits))

    def send_to(self, *args: Any) -> bool:
        """`Worker.send_to`, in the worker's thread."""
        return self.call(self.worker.send_to, *args)
