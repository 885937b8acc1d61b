"""What an event is."""

from __future__ import annotations

import pytest

from lineman.protocols.events import Close, Progress, Reply
from lineman.protocols.websocket.control import Ping, Pong


def test_events_are_values() -> None:
    assert Ping(b"a") == Ping(b"a")
    assert Ping(b"a") != Ping(b"b")
    assert Pong(b"a") != Pong(b"b")
    assert Close(1000, "a") == Close(1000, "a") != Close(1000, "b")
    assert len({Ping(b""), Ping(b""), Pong(b""), Close(1000, "")}) == 3
    with pytest.raises(AttributeError):
        Ping(b"a").payload = b"b"  # type: ignore[misc]


def test_a_ping_asks_for_an_answer_and_a_pong_asks_for_nothing() -> None:
    assert isinstance(Ping(b""), Reply)
    assert isinstance(Pong(b""), Progress)
    assert not isinstance(Pong(b""), Reply)
