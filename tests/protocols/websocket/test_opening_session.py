"""From requests to a websocket without a socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from lineman.errors import HttpError, UsageError
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.responses import Response
from lineman.protocols.websocket.fast_handshake import Opening
from lineman.protocols.websocket.negotiation import DeflateOptions
from lineman.protocols.websocket.opening_session import OpeningSession
from lineman.protocols.websocket.session import WebsocketSession

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, section 1.3
HELLO = bytes.fromhex("818537fa213d7f9f4d5158")  # section 5.7: a masked "Hello"


@dataclass
class Limits:
    max_head_size: int = 16384
    max_message_size: int = 1 << 20
    handshake_timeout: float = 10.0
    max_upload_size: int = 0
    keep_alive_timeout: float = 75.0
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    close_timeout: float = 5.0


def head(*lines: str, start: str = "GET /chat HTTP/1.1", key: str = KEY) -> bytes:
    usual = ("Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    return "\r\n".join((start, *usual, f"Sec-WebSocket-Key: {key}", *lines, "", "")).encode()


def asked(data: bytes) -> tuple[OpeningSession, Opening | Request]:
    """A session that was given these bytes and has found a handshake."""
    one = OpeningSession(Limits(), 0.0)
    event = one.next(memoryview(data))
    while not isinstance(event, Opening | Request):
        event = one.next(memoryview(data))
    assert one.request is not None
    if isinstance(event, Request):
        assert one.is_handshake(event)
        one.check(event)
    return one, event


def request_of(event: Opening | Request) -> Request:
    return event if isinstance(event, Request) else Request.of_handshake(event.head)


@pytest.mark.parametrize(
    "lines", [(), ("Origin: https://a",), ("X-Forwarded-For: 1.2.3.4", "Te: x")]
)
@pytest.mark.parametrize("is_quick", [True, False], ids=["in one read", "in two"])
@pytest.mark.parametrize("early", [b"", HELLO, HELLO * 2], ids=["nothing", "one", "two"])
def test_a_handshake_becomes_an_answer_and_a_session(
    lines: Sequence[str], is_quick: bool, early: bytes
) -> None:
    data = head(*lines)
    if is_quick:
        one, event = asked(data + early)
        assert isinstance(event, Opening)
    else:
        one = OpeningSession(Limits(), 0.0)
        assert one.next(memoryview(data[:20])) is None
        found = one.next(memoryview(data[20:] + early))
        assert isinstance(found, Request)
        one.check(found)
    upgrade = one.upgrade(Limits(), DeflateOptions())
    assert upgrade.answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert f"\r\nSec-WebSocket-Accept: {ACCEPT}\r\n".encode() in upgrade.answer
    assert upgrade.rest == early
    session = upgrade.session
    assert isinstance(session, WebsocketSession)
    assert session.feed(upgrade.rest) == ["Hello"] * (len(early) // len(HELLO))
    assert session.agreement is None
    assert one.is_over
    assert one.next(memoryview(head())) is None


def test_a_handshake_may_follow_plain_requests() -> None:
    one = OpeningSession(Limits(), 0.0)
    data = memoryview(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + head() + HELLO)
    first = one.next(data)
    assert isinstance(first, Request)
    assert not one.is_handshake(first)
    one.respond(Response("ok"), True, 0.0)
    second = one.next(data)
    assert isinstance(second, Request)
    one.check(second)
    assert not one.has_more
    assert one.upgrade(Limits(), DeflateOptions()).rest == HELLO


def test_what_comes_far_behind_a_handshake_is_the_rest_of_the_bytes() -> None:
    one = OpeningSession(Limits(), 0.0)
    assert one.next(memoryview(head()[:20])) is None
    data = memoryview(head()[20:] + HELLO * 1000)
    event = one.next(data)
    assert isinstance(event, Request)
    one.check(event)
    assert one.has_more
    assert one.upgrade(Limits(), DeflateOptions()).rest + one.rest(data) == HELLO * 1000


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(key="short"), 400),
        (head().replace(b": 13", b": 12"), 426),
        (head(start="POST /chat HTTP/1.1"), 405),
        (head().replace(b"Upgrade: websocket", b"Upgrade: h2c"), 426),
        (head().replace(b"Connection: Upgrade\r\n", b""), 426),
    ],
)
def test_what_wants_to_be_a_handshake_and_is_none_is_refused(data: bytes, status: int) -> None:
    one = OpeningSession(Limits(), 0.0)
    event = one.next(memoryview(data))
    assert isinstance(event, Request)
    assert one.is_handshake(event)
    with pytest.raises(HttpError) as caught:
        one.check(event)
    assert caught.value.status == status
    assert one.refuse(caught.value).startswith(f"HTTP/1.1 {status} ".encode())
    assert one.is_over


def test_the_first_subprotocol_of_ours_that_is_offered_is_agreed_on() -> None:
    one, event = asked(head("Sec-WebSocket-Protocol: a, b"))
    one.prefer(request_of(event), ["c", "b", "a"])
    assert one.subprotocol == "b"
    assert b"\r\nSec-WebSocket-Protocol: b\r\n" in one.upgrade(Limits(), DeflateOptions()).answer


def test_none_is_agreed_on_where_none_is_ours() -> None:
    one, event = asked(head("Sec-WebSocket-Protocol: a, b"))
    one.prefer(request_of(event), ["c"])
    assert one.subprotocol is None
    assert b"Sec-WebSocket-Protocol" not in one.upgrade(Limits(), DeflateOptions()).answer


def test_a_program_chooses_among_those_that_are_offered() -> None:
    one, event = asked(head("Sec-WebSocket-Protocol: a, b c"))
    with pytest.raises(UsageError, match="not offered"):
        one.choose_subprotocol(request_of(event), "z")
    with pytest.raises(UsageError, match="not a subprotocol name"):
        one.choose_subprotocol(request_of(event), "b c")
    one.choose_subprotocol(request_of(event), "a")
    assert one.subprotocol == "a"


def test_headers_are_added_and_those_that_would_break_the_answer_are_not() -> None:
    one, _ = asked(head())
    one.add_header("X-One", "1")
    for name, value in (("Upgrade", "h2c"), ("X-Two", "a\r\nb"), ("Bad Name", "1")):
        with pytest.raises(UsageError):
            one.add_header(name, value)
    one.add_header("X-Three", "3")
    answer = one.upgrade(Limits(), DeflateOptions()).answer
    assert answer.count(b"\r\nX-") == 2


def test_compression_is_agreed_on_where_it_is_offered() -> None:
    one, event = asked(head("Sec-WebSocket-Extensions: permessage-deflate"))
    one.negotiate(request_of(event), DeflateOptions())
    upgrade = one.upgrade(Limits(), DeflateOptions(threshold=0))
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate" in upgrade.answer
    session = upgrade.session
    assert isinstance(session, WebsocketSession)
    assert len(session.encode("a" * 1000)) < 50


def test_an_offer_that_cannot_be_read_is_refused() -> None:
    one, event = asked(head("Sec-WebSocket-Extensions: ;;;"))
    with pytest.raises(HttpError):
        one.negotiate(request_of(event), DeflateOptions())


def test_a_handshake_that_takes_too_long_to_decide_is_told_so() -> None:
    one, _ = asked(head())
    assert one.on_time(9.9, 9.9) == (None, None, 10.0)
    answer, why, _ = one.on_time(10.0, 10.0)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert why == "no handshake in time"
