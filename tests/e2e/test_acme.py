"""Certificates from a real authority, Pebble, for a worker that runs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.support.pebble import DOMAIN, Pebble, pebble
from e2e.support.program import free_ports
from lineman import Worker
from lineman.testing.serving import Serving


@pytest.fixture
def ports() -> list[int]:
    """Where Pebble validates: http-01 and tls-alpn-01."""
    return free_ports(2)


@pytest.fixture
def authority(tmp_path: Path, ports: list[int]) -> Iterator[Pebble]:
    with pebble(tmp_path, http_port=ports[0], tls_port=ports[1]) as found:
        yield found


def echo(port: int, **options: object) -> Worker:
    worker = Worker(f"wss://127.0.0.1:{port}", domains=[DOMAIN], **options)
    worker.on_message = lambda connection, message: connection.send(message)
    return worker


def served(port: int, trust: ssl.SSLContext) -> int:
    """Serial of the certificate that a client who verifies it is shown."""
    plain = socket.create_connection(("127.0.0.1", port), 20)
    with trust.wrap_socket(plain, server_hostname=DOMAIN) as tls:
        found = tls.getpeercert()
        assert found is not None
        return int(str(found["serialNumber"]), 16)


def test_first(tmp_path, authority, ports):
    worker = echo(ports[1], acme=authority.options(tmp_path / "state"))
    with Serving(worker) as serving:
        assert served(serving.port, authority.trust())
