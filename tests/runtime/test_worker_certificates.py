"""How a worker with a certificate of its own can be asked by its authority."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from kit.program import free_ports
from lineman.base.address import Address
from lineman.runtime.worker_certificates import Certifier, plain_port
from lineman.tls.acme.acme_options import AcmeOptions, AcmeSettings, settings

HERE = Address("wss", "127.0.0.1", 443)


def of(directory: Path, **options: Any) -> AcmeSettings:
    return settings(AcmeOptions("", directory_path=directory, **options), ["a.example.com"])


@pytest.mark.parametrize(
    ("port", "options", "kinds"),
    [
        (443, {}, ("tls-alpn-01",)),
        (8443, {}, ()),  # until the plain port is open
        (8443, {"webroot": "/var/www"}, ("http-01",)),
        (443, {"webroot": "/var/www"}, ("tls-alpn-01", "http-01")),
        (8443, {"challenges": ["tls-alpn-01"]}, ("tls-alpn-01",)),
    ],
)
def test_the_challenges_that_can_be_answered_depend_on_the_ports(
    tmp_path: Path, port: int, options: dict[str, Any], kinds: tuple[str, ...]
) -> None:
    async def made() -> Certifier:
        return Certifier(of(tmp_path, **options), Address("wss", "127.0.0.1", port))

    assert asyncio.run(made())._kinds() == kinds


def test_tls_that_begins_in_mid_connection_answers_no_tls_challenge(tmp_path: Path) -> None:
    async def made() -> Certifier:
        return Certifier(of(tmp_path, webroot="/var/www"), Address("text", "127.0.0.1", 443))

    assert asyncio.run(made())._kinds() == ("http-01",)


def opened(acme: AcmeSettings) -> tuple[bool, bytes]:
    """Whether the plain port is open, and what it says."""

    def ask(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 20) as plain:
            plain.sendall(b"GET /x HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
            return plain.makefile("rb").read()

    async def run() -> tuple[bool, bytes]:
        certifier = Certifier(acme, HERE)
        async with plain_port(acme, HERE, certifier.answers) as is_open:
            said = b""
            if is_open and acme.http_port is not None:
                said = await asyncio.to_thread(ask, acme.http_port)
            return is_open, said

    return asyncio.run(run())


def test_the_plain_port_sends_browsers_on_and_is_closed_afterwards(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    is_open, said = opened(of(tmp_path, http_port=port))
    assert is_open
    assert b"Location: https://a.example.com/x\r\n" in said
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_without_a_plain_port_nothing_is_opened_and_a_taken_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert opened(of(tmp_path, http_port=None)) == (False, b"")
    assert caplog.text == ""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert opened(of(tmp_path, http_port=port)) == (False, b"")
    assert "http-01 cannot be answered, and http is not redirected: cannot listen" in caplog.text
