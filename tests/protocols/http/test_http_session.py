"""The requests of one connection without a socket: bytes and a clock's number in, bytes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from lineman.errors import HttpError, UsageError
from lineman.protocols.events import PROGRESS
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.http_session import (
    GO_ON,
    MAX_PIPELINED,
    PIECE,
    HttpSession,
    TlsClientError,
)
from lineman.protocols.http.responses import Response

TIME = 10.0


@dataclass
class Limits:
    max_head_size: int = 16384
    max_message_size: int = 1 << 20
    handshake_timeout: float = TIME
    max_upload_size: int = 0
    keep_alive_timeout: float = 2 * TIME


def get(path: str = "/", *lines: str, version: str = "1.1") -> bytes:
    return "\r\n".join((f"GET {path} HTTP/{version}", "Host: a", *lines, "", "")).encode()


def post(body: bytes, *lines: str) -> bytes:
    head = ("POST / HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(head).encode() + body


# What comes. A request is answered as soon as it is there, as a plain function does it.


def seen(event: Any) -> tuple[Any, ...]:
    if isinstance(event, Request):
        return event.method, event.target, event.body
    return ("go on",) if event is GO_ON else (type(event).__name__, event.status)


def take(one: HttpSession, data: bytes) -> list[tuple[Any, ...]]:
    """What a connection makes of bytes that were read at once."""
    events = []
    view = memoryview(data)
    while (event := one.next(view)) is not None:
        if event is not PROGRESS:
            events.append(seen(event))
        if one.request is not None:
            one.respond(Response("ok"), True, 0.0)
        if one.is_over or not one.has_more:
            break
    return events


def turn_by_turn(one: HttpSession, data: bytes) -> list[tuple[Any, ...]]:
    """As where each event uses up a share of the turn: the rest comes again later."""
    events = []
    while (event := one.next(memoryview(data))) is not None:
        if event is not PROGRESS:
            events.append(seen(event))
        if one.request is not None:
            one.respond(Response("ok"), True, 0.0)
        if one.is_over or not one.has_more:
            break
        data = one.rest(memoryview(data))
    return events


def by_byte(one: HttpSession, data: bytes) -> list[tuple[Any, ...]]:
    return [event for byte in data for event in take(one, bytes((byte,)))]


WAYS: Sequence[Callable[[HttpSession, bytes], list[tuple[Any, ...]]]] = (
    take, turn_by_turn, by_byte,
)  # fmt: skip
BODY = bytes(range(256)) * 40

VECTORS: dict[str, tuple[bytes, list[tuple[Any, ...]]]] = {
    "a request": (get(), [("GET", "/", b"")]),
    "one behind the other": (get("/1") + get("/2"), [("GET", "/1", b""), ("GET", "/2", b"")]),
    "a body of several pieces": (post(BODY), [("POST", "/", BODY)]),
    "a body, and a request behind it": (
        post(BODY) + get("/2"),
        [("POST", "/", BODY), ("GET", "/2", b"")],
    ),
    "a client that waits to be told to go on": (
        post(b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 2"),
        [("go on",)],
    ),
    "the last request of a client": (get("/1", "Connection: close"), [("GET", "/1", b"")]),
    "what follows the last request is nothing": (
        get("/1", "Connection: close") + get("/2"),
        [("GET", "/1", b"")],
    ),
    "no HTTP": (b"nonsense\r\n\r\n", [("HttpError", 400)]),
    "a head that is too long": (get("/", "X: " + "y" * 20000), [("HttpError", 431)]),
    "a body that is too large": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n",
        [("HttpError", 413)],
    ),
    "TLS": (b"\x16\x03\x01\x02\x00\x01", [("TlsClientError", 400)]),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS, ids=str)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_bytes_give_their_events(name: str, way: Callable[..., Any]) -> None:
    data, events = VECTORS[name]
    one = HttpSession(Limits(), 0.0)
    assert way(one, data) == events
    if events and events[-1][0].endswith("Error"):
        assert one.is_over
        assert way(one, get("/late")) == []
    elif not one.is_over and ("go on",) not in events:
        assert way(one, get("/tail")) == [("GET", "/tail", b"")]


def test_a_body_comes_after_the_go_on() -> None:
    one = HttpSession(Limits(), 0.0)
    head = post(b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 4")
    assert one.next(memoryview(head)) is GO_ON
    assert one.answer_to(GO_ON, 0.0) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert take(one, b"body") == [("POST", "/", b"body")]


def test_a_request_with_nonsense_behind_it_is_answered_and_is_the_last() -> None:
    one = HttpSession(Limits(), 0.0)
    assert take(one, get("/1") + b"!\r\n\r\n") == [("GET", "/1", b"")]
    assert one.is_over
    later = HttpSession(Limits(), 0.0)
    assert take(later, get("/1")) + take(later, b"!\r\n\r\n") == [
        ("GET", "/1", b""),
        ("HttpError", 400),
    ]


def test_one_call_looks_at_a_piece() -> None:
    one = HttpSession(Limits(), 0.0)
    data = memoryview(post(bytes(10 * PIECE)))
    events = []
    while True:
        events.append(one.next(data))
        if not one.has_more:
            break
    assert events[:-1] == [PROGRESS] * 10
    assert isinstance(events[-1], Request)


def test_no_request_comes_before_the_one_before_it_is_answered() -> None:
    one = HttpSession(Limits(), 0.0)
    both = memoryview(get("/1") + get("/2"))
    first = one.next(both)
    assert isinstance(first, Request)
    assert (first.target, one.request, one.has_more) == ("/1", first, True)
    rest = one.rest(both)
    assert one.next(memoryview(rest)) is None
    one.respond(Response("ok"), True, 0.0)
    second = one.next(memoryview(rest))
    assert isinstance(second, Request)
    assert second.target == "/2"


def test_requests_by_the_dozen_without_waiting_are_refused() -> None:
    one = HttpSession(Limits(), 0.0)
    assert take(one, get() * MAX_PIPELINED)[-1] == ("GET", "/", b"")
    assert take(one, get() * (MAX_PIPELINED + 1)) == [("HttpError", 400)]


def test_an_unfinished_body_is_known_and_what_it_takes() -> None:
    one = HttpSession(Limits(), 0.0)
    assert (one.unfinished(), one.held()) == (None, 0)
    take(one, post(bytes(1000))[:-1])
    assert len(one.unfinished()) == 999
    assert one.held() >= 999
    assert take(one, b"\0") == [("POST", "/", bytes(1000))]
    assert (one.unfinished(), one.held()) == (None, 0)


# Keep-alive: the request, whether more are welcome, whether the peer has ended its side, and
# whether the line is kept.

KEPT: dict[str, tuple[bytes, bool, bool, bool]] = {
    "HTTP/1.1": (get(), True, True),
    "HTTP/1.1 that wants to close": (get("/", "Connection: close"), True, False),
    "HTTP/1.0": (get(version="1.0"), True, False),
    "HTTP/1.0 that wants to stay": (
        get("/", "Connection: keep-alive", version="1.0"), True, True),
    "a service that drains": (get(), False, False),
    "nonsense behind it": (get() + b"!\r\n\r\n", True, False),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT, ids=str)
def test_a_line_is_kept_where_both_want_it(name: str) -> None:
    data, may_keep, is_kept = KEPT[name]
    one = HttpSession(Limits(), 0.0)
    one.next(memoryview(data))
    answer = one.respond(Response("ok"), may_keep, 0.0)
    assert (b"Connection: close" not in answer) is is_kept
    assert (one.is_over, one.is_idle) == (not is_kept, is_kept)


def test_the_answer_to_head_has_no_body() -> None:
    one = HttpSession(Limits(), 0.0)
    one.next(memoryview(get().replace(b"GET", b"HEAD")))
    assert one.respond(Response("word"), True, 0.0).endswith(b"\r\n\r\n")


def test_an_answer_that_cannot_be_sent_changes_nothing() -> None:
    one = HttpSession(Limits(), 0.0)
    one.next(memoryview(get()))
    with pytest.raises(UsageError):
        one.respond(Response("x", headers={"Bad Name": "1"}), True, 0.0)
    assert one.request is not None
    assert one.refuse(HttpError(500, "no")).startswith(b"HTTP/1.1 500 ")
    assert one.is_over


def test_an_answer_to_no_request_is_a_defect() -> None:
    with pytest.raises(RuntimeError, match="defect"):
        HttpSession(Limits(), 0.0).respond(Response("ok"), True, 0.0)


def test_an_error_is_answered_and_is_the_end() -> None:
    one = HttpSession(Limits(), 0.0)
    error = one.next(memoryview(b"\x16\x03\x01"))
    assert isinstance(error, TlsClientError)
    answer = one.answer_to(error, 0.0)
    assert answer is not None
    assert b"use ws:// here" in answer
    assert one.answer_to(PROGRESS, 0.0) is None


# The clock. Each step: the time, what happens before it is asked, and what must come of it: the
# status of the answer, why the client is given up, when to ask again.

Step = tuple[float, bytes | str, tuple[int | None, str | None, float]]
LATE, SILENT = "no handshake in time", "no further request in time"
DEADLINES: dict[str, Sequence[Step]] = {
    "a client that says nothing is dropped": (
        (100.0, b"", (None, None, 110.0)),
        (109.9, b"", (None, None, 110.0)),
        (110.0, b"", (None, LATE, 110.0)),
        (120.0, b"", (None, None, 0.0)),
    ),
    "one that has begun is told": (
        (105.0, get()[:9], (None, None, 110.0)),
        (110.0, b"", (408, LATE, 110.0)),
    ),
    "byte by byte is not in time": (
        (105.0, get()[:9], (None, None, 110.0)),
        (109.9, get()[9:12], (None, None, 110.0)),
        (110.0, b"", (408, LATE, 110.0)),
    ),
    "an answer begins its time anew": (
        (104.0, get(), (None, None, 110.0)),
        (108.0, "answer", (None, None, 128.0)),
        (110.0, b"", (None, None, 128.0)),
        (128.0, b"", (None, SILENT, 128.0)),
    ),
    "a further request that does not come whole is told": (
        (104.0, get(), (None, None, 110.0)),
        (104.0, "answer", (None, None, 124.0)),
        (123.0, get()[:9], (None, None, 133.0)),
        (133.0, b"", (408, LATE, 133.0)),
    ),
    "a body has a second more for each KiB": (
        (101.0, post(bytes(10240))[:-5120], (None, None, 115.0)),
        (114.0, bytes(5000), (None, None, pytest.approx(119.9, abs=0.1))),
        (119.9, b"", (408, LATE, pytest.approx(119.9, abs=0.1))),
    ),
    "a program that does not answer is not waited for": (
        (104.0, get(), (None, None, 110.0)),
        (110.0, b"", (408, LATE, 110.0)),
    ),
    "after the last answer there is no deadline": (
        (104.0, get("/", "Connection: close"), (None, None, 110.0)),
        (105.0, "answer", (None, None, 0.0)),
    ),
}


@pytest.mark.parametrize("story", DEADLINES, ids=str)
def test_every_deadline(story: str) -> None:
    one = HttpSession(Limits(), 100.0)
    for now, what, (status, why, again) in DEADLINES[story]:
        if isinstance(what, str):
            one.respond(Response("ok"), True, now)
        elif what:
            one.wake(now)
            data = memoryview(what)
            while one.next(data) is PROGRESS and one.has_more:
                pass
        answer, said, then = one.on_time(now, now)
        assert (said, then) == (why, again), now
        if status is None:
            assert answer is None
        else:
            assert answer is not None
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
