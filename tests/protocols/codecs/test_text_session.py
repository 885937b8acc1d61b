"""`text://`: lines of UTF-8."""

from __future__ import annotations

from typing import Any

import pytest

from kit.feeding import all_cuts, events_of
from lineman.errors import UsageError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.text_session import TextSession
from lineman.protocols.websocket.close import INVALID_DATA, MESSAGE_TOO_BIG


def session() -> TextSession:
    return TextSession(Limits(max_message_size=8))


STREAMS = {
    "one line": (b"hello\n", ["hello"]),
    "two lines and a tail": (b"a\nb\nc", ["a", "b"]),
    "empty lines": (b"\n\n", ["", ""]),
    "a carriage return at the end": (b"one\r\n\r\n", ["one", ""]),
    "one that is part of the line": (b"a\rb\n", ["a\rb"]),
    "only the last one is dropped": (b"a\r\r\n", ["a\r"]),
    "UTF-8": ("käse ü\n".encode(), ["käse ü"]),
    "as long as may be": (b"12345678\n12345678\r\n", ["12345678", "12345678"]),
    "a byte too long": (b"123456789\nnext\n", [MESSAGE_TOO_BIG]),
    "too long behind a good one": (b"good\n0123456789", ["good", MESSAGE_TOO_BIG]),
    "no UTF-8": (b"good\n\xff\xfe\nnext\n", ["good", INVALID_DATA]),
    "a zero byte": (b"\0\n", ["\0"]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_same_lines_however_it_is_cut(name: str) -> None:
    stream, events = STREAMS[name]
    for found in all_cuts(session, stream):
        assert found == events


def test_a_line_without_an_end_is_given_up_as_soon_as_it_is_too_long() -> None:
    parts = [b"1234", b"5678", b"9", b"0"]
    assert events_of(session(), parts) == [MESSAGE_TOO_BIG]


def test_nothing_comes_behind_a_broken_rule() -> None:
    made = session()
    assert events_of(made, [b"\xff\n", b"good\n"]) == [INVALID_DATA]
    assert made.unfinished() is None
    assert made.held() == 0


def test_a_line_that_has_begun_is_known_and_weighed() -> None:
    made = session()
    assert made.unfinished() is None
    events_of(made, [b"a\nbe"])
    assert made.unfinished() == b"be"
    assert made.held() >= 2
    events_of(made, [b"gun\n"])
    assert made.unfinished() is None
    assert made.held() == 0


@pytest.mark.parametrize(
    ("message", "line"),
    [("hi", b"hi\n"), (b"hi", b"hi\n"), (bytearray(b"hi"), b"hi\n"), ("ü", b"\xc3\xbc\n")],
)
def test_a_message_is_sent_as_a_line(message: Any, line: bytes) -> None:
    assert session().encode(message) == line


@pytest.mark.parametrize("message", ["a\nb", b"a\n", "\n", "\ud800", 5, None])
def test_what_is_no_line_is_refused(message: Any) -> None:
    with pytest.raises(UsageError):
        session().encode(message)
