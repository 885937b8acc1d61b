"""A certificate authority that validates with tls-alpn-01, among ordinary clients."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from kit.site import Serve, Site, echo
from kit.waiting import DEADLINE, wait_until
from lineman.net.stream.tlsstream import Challenges
from lineman.protocols import client_hello as clienthello
from lineman.testing.tlssocket import TlsSocket
from lineman.tls.acme.challenge import alpn_certificate

NAME = "chat.example.com"


class Open(Challenges):
    """A challenge that is open, and how often it was looked for."""

    def __init__(self, directory: Path) -> None:
        self._pem = directory / "proof.pem"
        self._pem.write_bytes(alpn_certificate(NAME, bytes(32)))
        self.is_waiting = False
        self.is_there = True
        self.looks = 0
        self.seen: list[tuple[str, tuple[bytes, ...]]] = []

    def is_open(self) -> bool:
        self.looks += 1
        return self.is_there

    def tls(self, server_name: str, protocols: tuple[bytes, ...]) -> ssl.SSLContext | None:
        self.seen.append((server_name, protocols))
        if protocols != (b"acme-tls/1",):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["acme-tls/1"])
        context.load_cert_chain(self._pem)
        return context


@pytest.fixture
def challenges(tmp_path: Path) -> Open:
    return Open(tmp_path)


@pytest.fixture
def site(serve: Serve, challenges: Open) -> Site:
    found = serve(True, on_message=echo)
    assert found.worker.service is not None
    found.worker.service.challenges = challenges
    return found


def authority(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    context.set_alpn_protocols(["acme-tls/1"])
    return context


def connected(site: Site) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", site.port), DEADLINE)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def hello() -> tuple[bytes, ssl.MemoryBIO, ssl.SSLObject]:
    """An authority's first message, and what reads the answer to it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority().wrap_bio(incoming, outgoing, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read(), incoming, client


def answered(plain: socket.socket, incoming: ssl.MemoryBIO, client: ssl.SSLObject) -> str | None:
    """The protocol that the service agreed to, once its first flight is here."""
    while True:
        data = plain.recv(65536)
        assert data, "the service closed the connection"
        incoming.write(data)
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            continue
        return client.selected_alpn_protocol()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_authority_is_shown_its_proof_and_nothing_follows(
    site: Site, challenges: Open, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", site.port), DEADLINE) as plain:
        tls = TlsSocket(plain, authority(version), NAME)
        assert tls.tls.selected_alpn_protocol() == "acme-tls/1"
        try:
            while tls.recv(4096):
                pass
        except (ssl.SSLError, ConnectionResetError):
            pass  # closed, in whatever way
    wait_until(lambda: "answered a certificate authority" in caplog.text, "the line in the log")
    assert challenges.seen == [(NAME, (b"acme-tls/1",))]


def test_everybody_else_is_served_meanwhile(site: Site, challenges: Open) -> None:
    client = site.open()
    client.send("hello")
    assert client.receive() == "hello"
    assert challenges.seen == [("localhost", ())] or len(challenges.seen) == 1


def test_nobody_is_looked_at_while_no_challenge_is_open(site: Site, challenges: Open) -> None:
    challenges.is_there = False
    client = site.open()
    client.send("hello")
    assert client.receive() == "hello"
    assert challenges.looks == 1
    assert challenges.seen == []


def test_a_first_message_in_single_bytes_is_put_together(site: Site, challenges: Open) -> None:
    message, incoming, client = hello()
    with connected(site) as plain:
        for number in range(len(message)):
            plain.sendall(message[number : number + 1])
        assert answered(plain, incoming, client) == "acme-tls/1"
    # A socket in which bytes were only looked at must not wake the service again and again.
    assert challenges.looks <= len(message)


def test_a_service_that_waits_for_the_rest_is_not_woken_meanwhile(
    site: Site, challenges: Open
) -> None:
    message, incoming, client = hello()
    with connected(site) as plain:
        plain.sendall(message[:100])
        wait_until(lambda: challenges.looks, "looked at")
        bystander = site.open()  # the loop turns many times
        for number in range(50):
            bystander.send(str(number))
            assert bystander.receive() == str(number)
        assert challenges.looks <= 3  # the half message, the bystander, and no more than that
        plain.sendall(message[100:])
        assert answered(plain, incoming, client) == "acme-tls/1"


def test_a_first_message_in_many_records_is_put_together(site: Site) -> None:
    message, _, _ = hello()
    body = message[5:]
    with connected(site) as plain:
        for at in range(0, len(body), 60):
            piece = body[at : at + 60]
            plain.sendall(message[:3] + len(piece).to_bytes(2, "big") + piece)
        first = plain.recv(3)
    assert first[:1] == b"\x16"  # OpenSSL answers it with a ServerHello


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
        b"\x16\xff\xff\xff\xff" + bytes(200),
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(clienthello.MAX_SIZE),
    ],
)
def test_garbage_is_left_to_openssl(site: Site, garbage: bytes) -> None:
    with connected(site) as plain:
        plain.sendall(garbage)
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(16)[:1] in (b"\x15", b"")  # an alert, or nothing
    client = site.open()
    client.send("still here")
    assert client.receive() == "still here"


def test_a_client_that_leaves_in_its_first_message_is_gone(site: Site) -> None:
    message, _, _ = hello()
    with connected(site) as plain:
        plain.sendall(message[:50])
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(16):
            pass


def test_a_client_that_never_finishes_its_first_message_has_its_time(
    serve: Serve, challenges: Open
) -> None:
    site = serve(True, on_message=echo, handshake_timeout=0.5)
    assert site.worker.service is not None
    site.worker.service.challenges = challenges
    message, _, _ = hello()
    with connected(site) as plain:
        plain.sendall(message[:50])
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(16) == b""


def test_without_a_certificate_yet_only_the_authority_is_answered(
    site: Site, challenges: Open, caplog: pytest.LogCaptureFixture
) -> None:
    challenges.is_waiting = True
    with connected(site) as plain, pytest.raises((ssl.SSLError, OSError)):
        TlsSocket(plain, ssl.create_default_context(), "localhost")
    wait_until(lambda: "there is no certificate yet" in caplog.text, "the line in the log")
    with socket.create_connection(("127.0.0.1", site.port), DEADLINE) as plain:
        assert TlsSocket(plain, authority(), NAME).tls.selected_alpn_protocol() == "acme-tls/1"
