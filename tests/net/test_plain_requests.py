"""Plain HTTP requests to a websocket service: pages, refusals, lines that are kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.site import Serve, echo
from lineman import Request, Response
from lineman.testing.client import encode


def page(request: Request) -> Any:
    return {
        "/": Response("<h1>hello</h1>", content_type="text/html; charset=utf-8"),
        "/text": "just text",
        "/bytes": b"\x00\x01",
        "/none": None,
        "/made": Response("made", status=201, headers={"X-One": "1"}),
        "/body": request.body,
        "/wrong": {"a": "dictionary"},
        "/surrogate": "\ud800",
    }[request.path]


def test_what_on_request_returns_is_the_answer(serve: Serve, tls: bool) -> None:
    async def page_async(request: Request) -> Any:
        await asyncio.sleep(0)
        return page(request)

    for handler in (page, page_async):
        client = serve(tls, on_request=handler).connect()
        reply = client.request("/")
        assert (reply.status, reply.text) == (200, "<h1>hello</h1>")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert client.request("/text").text == "just text"
        assert client.request("/bytes").body == b"\x00\x01"
        assert client.request("/none").status == 404
        reply = client.request("/made")
        assert (reply.status, reply.headers["x-one"]) == (201, "1")
        assert client.request("/body", method="POST", body=b"b" * 100_000).body == b"b" * 100_000


def test_the_answer_to_head_has_no_body_and_tells_its_length(serve: Serve) -> None:
    client = serve(on_request=page).connect()
    reply = client.request("/text", method="HEAD")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "9", b"")
    assert client.request("/text").text == "just text"


@pytest.mark.parametrize("path", ["/wrong", "/surrogate", "/unknown"])
def test_an_answer_that_cannot_be_sent_is_500_and_logged(
    serve: Serve, tls: bool, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def page_async(request: Request) -> Any:
        return page(request)

    for handler in (page, page_async):
        caplog.clear()
        client = serve(tls, on_request=handler).connect()
        reply = client.request(path)
        assert reply.status == 500
        assert "Internal Server Error" in reply.text
        client.assert_ended()
        assert "Traceback" in caplog.text


def test_a_header_that_was_broken_later_is_500(serve: Serve) -> None:
    def handler(request: Request) -> Response:
        response = Response("x")
        response.headers.append(("X-Bad", "a\r\nb"))
        return response

    assert serve(on_request=handler).connect().request().status == 500


def test_a_line_that_is_kept_alive_takes_a_websocket_in_the_end(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_request=page, on_message=echo).connect()
    for _ in range(3):
        assert client.request("/text").headers["connection"] == "keep-alive"
    client.open("/text")
    client.send("x")
    assert client.receive() == "x"


@pytest.mark.parametrize("is_async", [False, True])
def test_requests_sent_in_one_go_are_answered_in_order(
    serve: Serve, tls: bool, is_async: bool
) -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0.01 if request.path == "/0" else 0)
        return request.path

    def quick(request: Request) -> str:
        return request.path

    client = serve(tls, on_request=slow if is_async else quick, on_message=echo).connect()
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(8))
    client.send_bytes(requests + client.handshake_bytes() + encode("x"))
    assert [client.receive_reply().text for _ in range(8)] == [f"/{number}" for number in range(8)]
    assert client.receive_reply().status == 101
    assert client.receive() == "x"


def test_connection_close_is_heeded(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_request=page).connect()
    reply = client.request("/text", [("Connection", "close")])
    assert (reply.text, reply.headers["connection"]) == ("just text", "close")
    client.assert_ended()


def test_http_1_0_is_answered_and_ended(serve: Serve) -> None:
    client = serve(on_request=page).connect()
    client.send_bytes(b"GET /text HTTP/1.0\r\n\r\n")
    assert client.receive_reply().text == "just text"
    client.assert_ended()


def test_an_upgrade_to_http_2_is_ignored(serve: Serve) -> None:
    client = serve(on_request=page).connect()
    settings = ("HTTP2-Settings", "AAMAAABk")
    upgrade = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), settings]
    assert client.request("/text", upgrade).text == "just text"
    assert client.request("/text").text == "just text"


def test_a_client_that_ends_its_side_after_the_request_still_gets_the_answer(
    serve: Serve, tls: bool
) -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(0.02)
        return "late"

    for handler, text in ((page, "just text"), (slow, "late")):
        client = serve(tls, on_request=handler).connect()
        client.send_bytes(b"GET /text HTTP/1.1\r\nHost: x\r\n\r\n")
        client.end_writing()
        assert client.receive_reply().text == text


def test_a_client_that_asks_whether_to_send_its_body_is_told_to(serve: Serve, tls: bool) -> None:
    client = serve(tls, on_request=page).connect()
    client.send_bytes(
        b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
    assert client.receive_reply().status == 100
    client.send_bytes(b"body")
    assert client.receive_reply().body == b"body"


def test_a_line_that_idles_after_its_answer_is_closed_without_a_word(
    serve: Serve, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, on_request=page, keep_alive_timeout=0.5)
    client = site.connect()
    assert client.request("/text").status == 200
    client.assert_ended()
    assert "no handshake" not in caplog.text


def test_a_client_that_asks_and_never_reads_does_not_fill_the_memory(
    serve: Serve, tls: bool
) -> None:
    big = Response(b"x" * 1_000_000)
    site = serve(tls, on_request=lambda request: big, max_send_buffer_size=2_000_000)
    client = site.connect(receive_buffer=4096)
    service = site.worker.service
    assert service is not None
    most = 0
    for _ in range(200):
        try:
            client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            break  # the service has had enough
        unsent = site.call(
            lambda: [getattr(handler, "unsent", 0) for handler in service.poller.handlers()]
        )
        most = max(most, *unsent)
    assert 1_000_000 < most < 4_000_000


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_long_answer_may_take_its_time_on_a_slow_line(
    serve: Serve, tls: bool, connection: str
) -> None:
    body = bytes(20_000_000)
    site = serve(tls, on_request=lambda request: body, handshake_timeout=5, close_timeout=5)
    client = site.connect(receive_buffer=65_536)
    client.send_bytes(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
    received = 0
    while received < len(body):
        data = client.receive_bytes()
        assert data, f"cut after {received} bytes"
        if (received + len(data)) // 2_000_000 != received // 2_000_000:
            site.advance_clock(3)
        received += len(data)


def test_a_long_answer_that_nobody_reads_is_given_up(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=lambda request: bytes(20_000_000), close_timeout=5)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert client.receive_bytes()
    for _ in range(4):
        site.advance_clock(6)
    site.wait_until_empty()


def test_a_plain_request_without_on_request_is_426_with_one_line_of_text(
    serve: Serve, tls: bool
) -> None:
    client = serve(tls).connect()
    reply = client.request("/")
    assert reply.status == 426
    assert reply.headers["upgrade"] == "websocket"
    assert "Upgrade" in reply.headers["connection"]
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    client.assert_ended()


def test_a_broken_request_behind_a_good_one_does_not_cost_the_good_one(
    serve: Serve, tls: bool
) -> None:
    client = serve(tls, on_request=page).connect()
    client.send_bytes(b"GET /text HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n")
    assert client.receive_reply().text == "just text"
    rest = client.receive_all()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
