"""Answers that come in pieces: generators, events, files; and clients that leave in the middle."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kit.http_clients import connect, get
from kit.site import Serve
from kit.waiting import wait_until
from lineman import Request, Response, ServerSentEvent

WORDS = ["one ", b"two ", bytearray(b"three")]


async def later(request: Request) -> AsyncIterator[Any]:
    for word in WORDS:
        await asyncio.sleep(0)
        yield word


def at_once(request: Request) -> Iterator[Any]:
    yield from WORDS


def returned(request: Request) -> Response:
    return Response(later(request), content_type="text/x", status=201)


async def awaited(request: Request) -> Response:
    await asyncio.sleep(0)
    return Response(at_once(request))


@pytest.mark.parametrize("handler", [later, at_once, returned, awaited])
def test_a_generator_is_sent_as_it_goes(serve: Serve, tls: bool, handler: Any) -> None:
    client = connect(serve(tls, on_request=handler))
    for _ in range(2):  # the connection is kept
        answer = get(client)
        assert answer.getheader("Transfer-Encoding") == "chunked"
        assert answer.getheader("Content-Length") is None
        assert answer.read() == b"one two three"
        if handler is returned:
            assert (answer.status, answer.getheader("Content-Type")) == (201, "text/x")
        else:
            assert answer.getheader("Content-Type") == "text/plain; charset=utf-8"


def test_empty_pieces_do_not_end_the_body(serve: Serve) -> None:
    def pieces(request: Request) -> Iterator[bytes]:
        yield b""
        yield b"x"
        yield b""
        yield b"y"

    assert get(connect(serve(on_request=pieces))).read() == b"xy"


def test_a_generator_without_pieces_is_an_empty_body(serve: Serve) -> None:
    client = connect(serve(on_request=lambda request: iter(())))
    for _ in range(2):
        answer = get(client)
        assert (answer.status, answer.read()) == (200, b"")


def test_http_1_0_gets_the_pieces_up_to_the_end_of_the_connection(serve: Serve) -> None:
    client = serve(on_request=at_once).connect()
    client.send_bytes(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = client.receive_all().partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert b"chunked" not in head
    assert body == b"one two three"


@pytest.mark.parametrize("handler", [later, at_once, returned])
def test_head_gets_the_head_alone_and_the_generator_is_ended(serve: Serve, handler: Any) -> None:
    client = connect(serve(on_request=handler))
    for _ in range(2):
        answer = get(client, method="HEAD")
        assert answer.getheader("Transfer-Encoding") == "chunked"
        assert answer.read() == b""
    assert get(client).read() == b"one two three"


def test_requests_behind_a_generator_are_answered_in_order(serve: Serve, tls: bool) -> None:
    async def pieces(request: Request) -> AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0.002)
            yield f"{request.path}{number} "

    client = serve(tls, on_request=pieces).connect()
    client.send_bytes(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.0\r\n\r\n")
    received = client.receive_all()
    assert received.index(b"/12 ") < received.index(b"0\r\n\r\n") < received.index(b"/20 ")
    assert received.endswith(b"/20 /21 /22 ")


def test_a_generator_goes_no_faster_than_its_client_reads(serve: Serve, tls: bool) -> None:
    sent = 0

    async def endless(request: Request) -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 10_000
            yield bytes(10_000)

    site = serve(tls, on_request=endless)
    client = site.connect(receive_buffer=4096)
    service = site.worker.service
    assert service is not None
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.receive_bytes()
    before = -1

    def stands_still() -> bool:
        nonlocal before
        was, before = before, sent
        return was == sent

    wait_until(stands_still, "the generator waits")
    assert sent < 10_000_000  # what the kernel holds, and little more
    handlers = site.call(service.poller.handlers)
    assert max(getattr(each, "unsent", 0) for each in handlers) < 300_000
    site.connect().request("/")  # others are served


def test_a_client_that_reads_nothing_of_it_is_given_up(serve: Serve, tls: bool) -> None:
    ended = threading.Event()

    async def endless(request: Request) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
        finally:
            ended.set()

    site = serve(tls, on_request=endless, unfinished_timeout=20)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.receive_bytes()
    for _ in range(20):
        site.advance_clock(6)
        if ended.wait(0.05):
            break
    assert ended.wait(10)
    site.wait_until_empty()


@pytest.mark.parametrize("how", ["ends", "resets"])
def test_a_generator_ends_with_its_client(serve: Serve, tls: bool, how: str) -> None:
    ended = threading.Event()

    async def events(request: Request) -> AsyncIterator[ServerSentEvent]:
        try:
            yield ServerSentEvent("hello")
            await asyncio.sleep(1000)
        finally:
            ended.set()

    site = serve(tls, on_request=events)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    while b"hello" not in client.receive_bytes():
        pass
    if how == "ends":
        client.end_writing()
    else:
        client.reset()
    assert ended.wait(10)
    client.close()
    site.wait_until_empty()


def test_events_have_their_type_and_are_not_kept_by_proxies(serve: Serve) -> None:
    async def events(request: Request) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent("a")
        yield ServerSentEvent("b", event="x")

    answer = get(connect(serve(on_request=events)))
    assert answer.getheader("Content-Type") == "text/event-stream"
    assert answer.getheader("Cache-Control") == "no-cache"
    assert answer.getheader("X-Accel-Buffering") == "no"
    assert answer.read() == b"data: a\n\nevent: x\ndata: b\n\n"


def test_a_stream_that_is_named_as_such_begins_before_its_first_event(serve: Serve) -> None:
    async def silent() -> AsyncIterator[ServerSentEvent]:
        await asyncio.sleep(1000)
        yield ServerSentEvent()

    site = serve(
        on_request=lambda request: Response(silent(), content_type="text/event-stream"),
        ping_interval=25,
    )
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"text/event-stream" in client.receive_bytes()
    site.advance_clock(40)  # so that no proxy takes it for dead
    assert client.receive_bytes() == b"3\r\n:\n\n\r\n"


def test_a_generator_that_fails_before_its_first_piece_is_500(
    serve: Serve, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(request: Request) -> AsyncIterator[str]:
        raise RuntimeError("no data today")
        yield ""

    client = serve(tls, on_request=fails).connect()
    assert client.request("/").status == 500
    assert "no data today" in caplog.text


@pytest.mark.parametrize("item", [RuntimeError("in the middle"), 5, None, {"a": 1}], ids=repr)
def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(
    serve: Serve, tls: bool, item: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(request: Request) -> Iterator[Any]:
        yield "half"
        if isinstance(item, Exception):
            raise item
        yield item

    client = serve(tls, on_request=breaks).connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    received = client.receive_all()
    assert b"4\r\nhalf\r\n" in received
    assert b"0\r\n\r\n" not in received
    assert "an answer broke off" in caplog.text


def test_a_body_without_a_length_that_breaks_off_is_a_reset(serve: Serve) -> None:
    def breaks(request: Request) -> Iterator[str]:
        yield "half"
        raise RuntimeError

    client = serve(on_request=breaks).connect()
    client.send_bytes(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        client.receive_all()


class Own(bytes):
    """Bytes, and of a type of their own."""


@pytest.mark.parametrize(
    ("body", "status"), [("text", 200), (Own(b"text"), 200), ({"a": 1}, 500), (["text"], 500)]
)
def test_a_body_that_was_set_later_is_sent_or_refused(serve: Serve, body: Any, status: int) -> None:
    def answer(request: Request) -> Response:
        response = Response("before")
        response.body = body
        return response

    reply = serve(on_request=answer).connect().request("/")
    assert reply.status == status
    if status == 200:
        assert reply.body == b"text"
        assert reply.headers["content-length"] == "4"
