"""A stream of events without a socket: events and a clock's number in, bytes out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lineman.errors import UsageError
from lineman.protocols.http.event_session import EventSession
from lineman.protocols.http.event_stream import ServerSentEvent


@dataclass
class Limits:
    ping_interval: float = 25.0


def test_events_and_texts_go_out_as_chunks_or_as_they_are() -> None:
    for message in ("a", ServerSentEvent("a")):
        assert EventSession(Limits(), True).encode(message) == b"9\r\ndata: a\n\n\r\n"
        assert EventSession(Limits(), False).encode(message) == b"data: a\n\n"


@pytest.mark.parametrize("message", [b"x", 5, None, {"a": 1}], ids=repr)
def test_nothing_else_is_an_event(message: object) -> None:
    with pytest.raises(UsageError, match="ServerSentEvent or a str"):
        EventSession(Limits(), True).pieces(message)


def test_what_the_client_sends_is_nothing_and_its_end_is_the_end() -> None:
    one = EventSession(Limits(), True)
    assert one.next(memoryview(b"GET / HTTP/1.1\r\n\r\n")) is None
    assert (one.has_more, one.rest(memoryview(b"x")), one.held()) == (False, b"", 0)
    assert one.ended().code == 1001


def test_only_those_with_the_same_framing_share_bytes() -> None:
    keys = [EventSession(Limits(), is_chunked).share_key() for is_chunked in (True, True, False)]
    assert keys[0] == keys[1] != keys[2]


def test_the_end_is_told_where_there_are_words_for_it() -> None:
    assert EventSession(Limits(), True).closing(1000, "", 0.0) == b"0\r\n\r\n"
    assert EventSession(Limits(), False).closing(1000, "", 0.0) is None


def test_a_comment_is_sent_from_time_to_time() -> None:
    one = EventSession(Limits(), False)
    assert one.on_time(100.0, 0.0) == (None, None, 125.0)
    assert one.on_time(110.0, 0.0) == (None, None, 125.0)
    assert one.on_time(125.0, 0.0) == (b":\n\n", None, 150.0)
    assert EventSession(Limits(0.0), True).on_time(100.0, 0.0) == (None, None, 0.0)
