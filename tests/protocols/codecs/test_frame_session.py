"""`frame://`: messages with their length before them."""

from __future__ import annotations

from typing import Any

import pytest

from kit.feeding import all_cuts, events_of
from lineman.errors import UsageError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.frame_session import FrameSession
from lineman.protocols.websocket.close import MESSAGE_TOO_BIG, PROTOCOL_ERROR


def session() -> FrameSession:
    return FrameSession(Limits(max_message_size=8))


def frame(body: bytes) -> bytes:
    return (len(body) + 4).to_bytes(4, "big") + body


STREAMS = {
    "one frame": (frame(b"hello"), [b"hello"]),
    "two frames and a tail": (frame(b"a") + frame(b"b\n") + b"\0\0", [b"a", b"b\n"]),
    "an empty one": (frame(b"") + frame(b"x"), [b"", b"x"]),
    "as long as may be": (frame(b"12345678"), [b"12345678"]),
    "a byte too long": (frame(b"123456789") + frame(b""), [MESSAGE_TOO_BIG]),
    "the largest that can be said": (b"\xff\xff\xff\xff", [MESSAGE_TOO_BIG]),
    "a length below its own bytes": (
        frame(b"good") + b"\0\0\0\3" + b"x",
        [b"good", PROTOCOL_ERROR],
    ),
    "a length of nothing": (b"\0\0\0\0", [PROTOCOL_ERROR]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_same_messages_however_it_is_cut(name: str) -> None:
    stream, events = STREAMS[name]
    for found in all_cuts(session, stream):
        assert found == events


def test_a_length_that_is_too_large_is_refused_before_its_message_comes() -> None:
    assert events_of(session(), [b"\0\0\1\0"]) == [MESSAGE_TOO_BIG]


def test_nothing_comes_behind_a_broken_rule() -> None:
    made = session()
    assert events_of(made, [b"\0\0\0\0", frame(b"good")]) == [PROTOCOL_ERROR]
    assert made.unfinished() is None
    assert made.held() == 0


def test_a_frame_that_has_begun_is_known_and_weighed() -> None:
    made = session()
    events_of(made, [frame(b"abc")[:6]])
    assert made.unfinished() == b"\0\0\0\7ab"
    assert made.held() >= 6
    assert events_of(made, [b"c"]) == [b"abc"]
    assert made.unfinished() is None


@pytest.mark.parametrize("message", ["hi", b"hi", bytearray(b"hi"), memoryview(b"hi")])
def test_a_message_is_sent_behind_its_length(message: Any) -> None:
    assert session().encode(message) == b"\0\0\0\6hi"


@pytest.mark.parametrize("message", [5, None, "\ud800"])
def test_what_is_no_message_is_refused(message: Any) -> None:
    with pytest.raises(UsageError):
        session().encode(message)
