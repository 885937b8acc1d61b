"""`tcp://`: bytes as they come."""

from __future__ import annotations

from kit.feeding import events_of
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.tcp_session import TcpSession


def test_a_message_is_what_came_at_once() -> None:
    made = TcpSession(Limits(max_message_size=2))
    assert events_of(made, [b"abc", b"", b"\0"]) == [b"abc", b"\0"]
    assert made.unfinished() is None
    assert made.held() == 0
    assert not made.has_more


def test_bytes_and_texts_are_sent_as_they_are() -> None:
    made = TcpSession(Limits())
    assert made.encode(b"a\n") == b"a\n"
    assert made.encode("ü") == b"\xc3\xbc"
    assert made.encode(bytes(100_000)) == bytes(100_000)
