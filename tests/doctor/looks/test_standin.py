"""What a proxy forwards, seen in the service's place."""

from __future__ import annotations

import socket

from kit.program import free_ports
from lineman.doctor.facts import Seen
from lineman.doctor.looks.standin import StandIn
from lineman.protocols.websocket.checkup import CLAIMED


def told(request: bytes) -> tuple[Seen, bytes]:
    """What is seen of a request, and its answer."""
    (port,) = free_ports(1)
    with (
        StandIn("127.0.0.1", port, 20) as there,
        socket.create_connection(("127.0.0.1", port)) as link,
    ):
        link.sendall(request)
        answer = link.recv(65536)
    return there.seen, answer


def test_a_handshake_is_accepted_and_its_headers_are_seen() -> None:
    seen, answer = told(
        b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    assert (seen.is_reached, seen.version, seen.header("host")) == (True, "HTTP/1.1", "a.test")


def test_a_request_without_its_upgrade_is_seen_and_refused() -> None:
    seen, answer = told(b"GET / HTTP/1.0\r\nHost: b.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert (seen.version, seen.header("upgrade")) == ("HTTP/1.0", "")


def test_an_address_that_a_client_made_up_is_found_where_the_proxy_passes_it_on() -> None:
    claims = f"X-Real-IP: {CLAIMED}\r\nX-Forwarded-For: {CLAIMED}, 10.0.0.1\r\n"
    seen, _ = told(f"GET / HTTP/1.1\r\n{claims}\r\n".encode())
    assert seen.spoofed == ("X-Real-IP",)


def test_tls_is_seen_by_its_first_byte() -> None:
    seen, _ = told(b"\x16\x03\x01")
    assert (seen.is_reached, seen.is_tls) == (True, True)


def test_nobody_who_comes_is_nothing_seen() -> None:
    (port,) = free_ports(1)
    with StandIn("127.0.0.1", port, 20) as there:
        pass
    assert there.seen == Seen()


def test_a_place_that_is_taken_is_a_fault() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        StandIn("127.0.0.1", listener.getsockname()[1], 20) as there,
    ):
        pass
    assert there.seen.fault.startswith("cannot take the service's place on 127.0.0.1, port ")
