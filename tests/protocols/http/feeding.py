"""Ways of feeding a parser of requests, and what it has seen."""

from collections.abc import Callable

import pytest

from lineman.protocols.http.requests import Request, RequestParser

UPGRADE = (
    b"GET /chat?room=7 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

MAX_HEAD = 1024


MAX_BODY = 2048


Fed = tuple[list[Request], RequestParser]


def new(max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> RequestParser:
    return RequestParser(max_head, max_body)


def whole(data: bytes, parser: RequestParser | None = None) -> Fed:
    parser = parser or new()
    return parser.feed(data), parser


def by_byte(data: bytes, parser: RequestParser | None = None) -> Fed:
    parser = parser or new()
    requests: list[Request] = []
    for position in range(len(data)):
        requests += parser.feed(data[position : position + 1])
    return requests, parser


def from_memory(data: bytes, parser: RequestParser | None = None) -> Fed:
    parser = parser or new()
    buffer = bytearray(data)
    requests = parser.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))  # the next read overwrites a shared buffer
    return requests, parser


three_ways = pytest.mark.parametrize("feed", [whole, by_byte, from_memory])


Feed = Callable[..., Fed]


def seen(requests: list[Request]) -> list[tuple[object, ...]]:
    return [
        (one.method, one.target, one.version, one.headers.items(), one.body, one.upgrade,
         one.keep_alive)
        for one in requests
    ]  # fmt: skip


def refused(data: bytes, feed: Feed, status: int, *words: str) -> None:
    requests, parser = feed(data)
    assert requests == []
    assert parser.error is not None
    assert parser.error.status == status
    for word in words:
        assert word in parser.error.text
    assert "\n" not in parser.error.text
    assert parser.feed(GET) == []  # nothing is parsed after a fault
