"""What the protocols on a byte stream share."""

from __future__ import annotations

from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.text_session import TextSession


def test_the_peer_is_given_up_after_its_silence_and_not_while_nobody_reads() -> None:
    made = TextSession(Limits(idle_timeout=10))
    assert made.on_time(5.0, 0.0) == (None, None, 10.0)
    assert made.on_time(10.0, 0.0) == (None, "silent for 10 s (idle_timeout)", 10.0)
    assert made.on_time(10.0, 0.0, False) == (None, None, 20.0)
    assert TextSession(Limits()).on_time(10.0, 0.0) == (None, None, 0.0)


def test_the_rest_is_what_was_not_taken_and_nothing_twice() -> None:
    made = TextSession(Limits())
    data = memoryview(b"a\nb\nc")
    assert made.next(data) == "a"
    assert made.has_more
    assert made.rest(data) == b"b\nc"
    assert not made.has_more
    assert made.next(memoryview(b"b\nc")) == "b"
    assert made.next(memoryview(b"b\nc")) is None
    assert made.rest(memoryview(b"b\nc")) == b""


def test_a_long_message_goes_as_it_is_and_a_short_one_into_the_room() -> None:
    made = TextSession(Limits())
    assert made.pieces("x" * 20_000) == (b"", b"x" * 20_000, b"\n")
    assert made.encode("short") == b"short\n"
