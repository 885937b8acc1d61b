"""The doctor also names faults that no real server has, and survives invalid answers."""

from __future__ import annotations

import random
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as forms

from e2e.support import raw
from e2e.support.client import DOMAIN
from e2e.support.clinic import Clinic, server_context
from e2e.support.diagnosis import diagnose, first, names
from lineman import Worker
from lineman.base.finding import Level
from lineman.protocols.websocket.client.url import parse
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.serving import Serving


def cut(link: socket.socket) -> None:
    """Closes an open connection."""


def closing(link: socket.socket) -> None:
    link.sendall(b"\x88\x0b" + (1011).to_bytes(2, "big") + b"no logic.")
    raw.swallow(link)


def masked(link: socket.socket) -> None:
    link.sendall(b"\x81\x82\x00\x00\x00\x00hi")
    raw.swallow(link)


BROKEN_ON_THE_LINE: list[tuple[raw.Handler, dict[str, Any], str]] = [
    (raw.opening(accept="bm90aGluZyBvZiB0aGUga2luZA=="), {}, "accept-wrong"),
    (raw.opening("Sec-WebSocket-Extensions: permessage-deflate"), {}, "extension-unasked"),
    (raw.opening("Sec-WebSocket-Protocol: v3"), {}, "subprotocol-not-offered"),
    (raw.opening(then=cut), {}, "1006"),
    (raw.opening(then=closing), {}, "closed-after-open"),
    (raw.opening(then=masked), {}, "frames-broken"),
    (raw.opening(), {"timeout": 1.0}, "ping-unanswered"),
    (raw.silent, {"timeout": 0.5}, "handshake-timeout"),
    (raw.refusing("sec-websocket-extensions", raw.pong), {}, "extension-trouble"),
    (
        raw.refusing("sec-websocket-protocol", raw.swallow),
        {"subprotocols": ("v1",)},
        "subprotocol-refused",
    ),
    (raw.answering(b"220 mail.example.com ESMTP\r\n"), {}, "not-http"),
    (raw.answering(b""), {}, "handshake-dropped"),
    (raw.answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), {}, "bad-request"),
    (raw.answering(b"HTTP/1.1 431 No\r\nContent-Length: 0\r\n\r\n"), {}, "head-too-large"),
    (raw.answering(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n"), {}, "handshake-broken"),
]


@pytest.mark.parametrize(
    ("handler", "options", "name"), BROKEN_ON_THE_LINE, ids=[n for *_, n in BROKEN_ON_THE_LINE]
)
def test_what_no_real_server_does_is_named_first(
    ward: Clinic, handler: raw.Handler, options: dict[str, Any], name: str
) -> None:
    with raw.serving(handler) as port:
        found = first(diagnose(ward, f"ws://{DOMAIN}:{port}/", **options))
    assert found.name == name, found


NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def only_h2(link: socket.socket) -> None:
    assert isinstance(link, ssl.SSLSocket)
    if link.selected_alpn_protocol() == "h2":
        link.sendall(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        raw.swallow(link)


def test_a_server_that_speaks_http2_only(ward: Clinic) -> None:
    context = server_context(ward.pairs["main"])
    context.set_alpn_protocols(["h2"])
    with raw.serving(only_h2, context=context) as port:
        found = first(diagnose(ward, f"wss://{DOMAIN}:{port}/"))
    assert found.name == "alpn-h2-only"


def test_a_server_that_wants_a_certificate_of_its_client(ward: Clinic) -> None:
    context = server_context(ward.pairs["main"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ward.ca.ca_path)
    with raw.serving(raw.silent, context=context) as port:
        found = first(diagnose(ward, f"wss://{DOMAIN}:{port}/"))
    assert found.name == "tls-client-certificate"


def test_a_server_that_hangs_up_when_tls_begins(ward: Clinic) -> None:
    def hang_up(link: socket.socket) -> None:
        link.recv(65536)

    with raw.serving(hang_up) as port:
        assert first(diagnose(ward, f"wss://{DOMAIN}:{port}/")).name == "tls-no-answer"


def test_a_self_signed_certificate(ward: Clinic, tmp_path: Path) -> None:
    alone = TestCA(tmp_path, name=DOMAIN)
    key = tmp_path / "self.key"
    key.write_bytes(
        alone._key.private_bytes(
            forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
        )
    )
    context = server_context(IssuedPair(alone.ca_path, key))
    with raw.serving(raw.answering(NOT_FOUND), context=context) as port:
        found = diagnose(ward, f"wss://{DOMAIN}:{port}/")
    assert "cert-self-signed" in names(found, Level.ERROR)


def test_a_proxy_that_keeps_frames_back(ward: Clinic) -> None:
    upstream = parse(f"ws://127.0.0.1:{ward.ports['good']}/")
    with raw.serving(raw.opening()) as port:
        found = diagnose(ward, f"ws://{DOMAIN}:{port}/", upstream=upstream, timeout=2.0)
    assert first(found).name == "proxy-buffers"


def test_a_worker_that_wants_a_proxy_header(ward: Clinic) -> None:
    worker = Worker("ws://127.0.0.1:0", proxy_protocol="required", trusted_proxies=["127.0.0.1/32"])
    with Serving(worker) as site:
        url = f"ws://{DOMAIN}:{site.port}/"
        assert first(diagnose(ward, url)).name == "proxy-protocol-required"
        upstream = parse(f"ws://127.0.0.1:{site.port}/")
        found = diagnose(ward, ward.url("main", "/down"), upstream=upstream)
        assert first(found).name == "proxy-protocol-missing"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_server_sends_the_doctor_says_something(ward: Clinic, seed: int) -> None:
    chance = random.Random(seed)
    rubbish = chance.randbytes(chance.randrange(1, 400))
    if seed % 2:
        status = chance.randrange(100, 600)
        rubbish = b"HTTP/1.1 %d No\r\nDate: " % status + rubbish + b"\r\n\r\n" + rubbish
    handler = raw.answering(rubbish)
    with raw.serving(handler) as port:
        for scheme in ("ws", "wss"):
            found = diagnose(ward, f"{scheme}://{DOMAIN}:{port}/", timeout=2.0)
            assert found[0].level is Level.ERROR


@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_on_an_open_line_the_doctor_says_something(ward: Clinic, seed: int) -> None:
    rubbish = random.Random(seed).randbytes(300)

    def send(link: socket.socket) -> None:
        link.sendall(rubbish)

    with raw.serving(raw.opening(then=send)) as port:
        found = diagnose(ward, f"ws://{DOMAIN}:{port}/")
    assert found[0].level is Level.ERROR
