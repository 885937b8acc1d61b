"""Before a connection is a websocket: accepted and refused handshakes, and plain requests."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo
from lineman import Connection
from lineman.testing.client import encode

HEAD = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


VERSION = "Sec-WebSocket-Version: 13\r\n"


ECHO_OF_THE_RFC = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def raw(site: Site, head: str) -> Any:
    """The reply to a head that is sent unchanged."""
    client = site.connect()
    client.send_bytes(head.encode("latin-1"))
    reply = client.receive_reply()
    if reply.status != 101:
        client.assert_ended()
    return reply


# Accepted handshakes.


def test_the_handshake_of_the_rfc_gets_the_answer_of_the_rfc(serve: Serve, tls: bool) -> None:
    reply = raw(serve(tls), f"GET /chat HTTP/1.1\r\n{HEAD}{KEY}{VERSION}\r\n")
    assert reply.status == 101
    assert reply.headers["sec-websocket-accept"] == ECHO_OF_THE_RFC
    assert reply.headers["upgrade"].lower() == "websocket"
    assert reply.headers["connection"].lower() == "upgrade"
    assert "sec-websocket-protocol" not in reply.headers
    assert "sec-websocket-extensions" not in reply.headers


def test_firefox_is_let_in(serve: Serve, tls: bool) -> None:
    head = "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    extensions = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    reply = raw(serve(tls), f"GET / HTTP/1.1\r\n{head}{extensions}{KEY}{VERSION}\r\n")
    assert reply.status == 101
    assert reply.headers["sec-websocket-extensions"].startswith("permessage-deflate")


def test_names_and_tokens_may_have_letters_of_any_case(serve: Serve) -> None:
    head = (
        "GET / HTTP/1.1\r\nhost: x\r\nUPGRADE: WebSocket\r\nconnection: uPGRADE\r\n"
        "sec-websocket-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    assert raw(serve(), head).status == 101


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_handshake_may_come_in_pieces(serve: Serve, tls: bool, size: int) -> None:
    client = serve(tls, on_message=echo).connect()
    wire = client.handshake_bytes() + encode("tom")
    for start in range(0, len(wire), size):
        client.send_bytes(wire[start : start + size])
    assert client.receive_reply().status == 101
    assert client.receive() == "tom"


def test_the_request_is_told_the_same_whether_its_head_came_whole_or_in_pieces(
    serve: Serve, tls: bool
) -> None:
    told = Recorder()

    def tell(connection: Connection) -> None:
        request = connection.request
        assert request is not None
        assert connection.request is request
        told(
            (
                request.method,
                request.target,
                request.path,
                request.query,
                request.cookies,
                request.headers.items(),
                request.headers["HOST"],
                request.remote_ip,
                request.scheme,
                request.remote_port == connection.remote_port,
                request.upgrade,
                request.body,
            )
        )

    site = serve(tls, on_connect=tell)
    head = f"GET /a%20b?c=d HTTP/1.1\r\n{HEAD}{KEY}{VERSION}Cookie: e=f\r\n\r\n".encode()
    for cut in (len(head), 9):
        client = site.connect()
        client.send_bytes(head[:cut])
        client.send_bytes(head[cut:])
        assert client.receive_reply().status == 101
    whole, in_pieces = told.wait(2)
    assert whole == in_pieces
    assert whole[2] == "/a b"
    assert whole[7:9] == ("127.0.0.1", "https" if tls else "http")


# Refused handshakes.


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [
        (f"POST / HTTP/1.1\r\n{HEAD}{KEY}{VERSION}", 405, "GET"),
        (f"GET / HTTP/1.0\r\n{HEAD}{KEY}{VERSION}", 400, "proxy_http_version 1.1"),
        (f"GET / HTTP/1.1\r\n{HEAD}{VERSION}", 400, "Sec-WebSocket-Key header is missing"),
        (f"GET / HTTP/1.1\r\n{HEAD}Sec-WebSocket-Key: short\r\n{VERSION}", 400, "16 bytes"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}{KEY}{VERSION}", 400, "one value"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}", 400, "Sec-WebSocket-Version header is missing"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}Sec-WebSocket-Version: 8\r\n", 426, "only 13"),
        (f"GET / HTTP/1.1\r\nHost: y\r\n{HEAD}{KEY}{VERSION}", 400, "2 Host headers"),
        (f"GET / HTTP/1.1\r\n{HEAD.split(chr(10), 1)[1]}{KEY}{VERSION}", 400, "Host header"),
        (f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n{KEY}{VERSION}", 426, "Upgrade"),
        (f"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{KEY}{VERSION}", 426, "Upgrade"),
        ("GET / HTTP/1.1\r\nHost: x\r\n", 426, "a websocket client is expected"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}{VERSION}Bad Name: x\r\n", 400, "not an HTTP"),
        (f"GET / HTTP/1.1\r\n{HEAD}{KEY}{VERSION}Content-Length: 3\r\n", 400, "no body"),
        ("this is no request\r\n", 400, "not an HTTP"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n", 400, "HTTP/2"),
        ("\x00\x01\x02\x03\r\n", 400, "not an HTTP"),
    ],
)
def test_a_bad_handshake_is_refused_with_a_line_that_says_why(
    serve: Serve, tls: bool, head: str, status: int, says: str
) -> None:
    site = serve(tls, on_message=echo)
    bystander = site.open()
    reply = raw(site, f"{head}\r\n")
    assert reply.status == status
    assert says in reply.text
    assert reply.text.count("\n") == 1
    assert "close" in reply.headers["connection"]
    if status == 426:
        assert reply.headers["sec-websocket-version"] == "13"
        assert reply.headers["upgrade"] == "websocket"
    bystander.send("x")
    assert bystander.receive() == "x"


@pytest.mark.parametrize(
    "head",
    [
        "GET /" + "x" * 20_000,
        "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + "x" * 20_000,
        "GET / HTTP/1.1\r\nHost: x\r\n" + "A: b\r\n" * 5000,
    ],
    ids=["target", "header", "lines"],
)
def test_a_head_that_is_too_long_is_431_before_it_has_ended(
    serve: Serve, tls: bool, head: str
) -> None:
    assert raw(serve(tls), head).status == 431


def test_the_greatest_head_that_is_taken_can_be_set(serve: Serve) -> None:
    site = serve(max_head_size=40_000)
    site.open(headers=[("Cookie", "x" * 30_000)])
    assert site.connect().handshake(headers=[("Cookie", "x" * 45_000)]).status == 431


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["nothing", "half a head"])
def test_a_handshake_that_stalls_is_ended_at_the_deadline(
    serve: Serve, tls: bool, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, handshake_timeout=0.5)
    client = site.connect()
    if sent:
        client.send_bytes(sent)
        assert client.receive_reply().status == 408
    client.assert_ended()
    client.close()
    site.wait_until_empty()
    assert "no handshake within 0.5 s" in caplog.text


def test_dripping_bytes_do_not_move_the_deadline(serve: Serve, tls: bool) -> None:
    site = serve(tls, handshake_timeout=0.5)
    client = site.connect()
    ended = threading.Event()

    def drip() -> None:
        for byte in client.handshake_bytes() * 100:
            if ended.wait(0.02):
                return
            try:
                client.send_bytes(bytes([byte]))
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        assert client.receive_reply().status == 408
    finally:
        ended.set()
        thread.join()
