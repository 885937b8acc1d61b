from __future__ import annotations

from collections import Counter

import pytest

from kit.frames import PING, Frame, text, written
from lineman.errors import ProtocolError
from lineman.net.connection.metered import MeteredDecoder
from lineman.net.connection.rates import Bucket, Meter
from lineman.protocols.websocket.control import Ping

LIMIT = 1 << 20


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hits() -> Counter[str]:
    return Counter()


def metered(
    clock: Clock, hits: Counter[str], messages: float = 0, size: float = 0
) -> MeteredDecoder:
    meter = Meter(
        [("max_messages_per_second", Bucket(messages, 0.0) if messages else None)],
        [("max_bytes_per_second", Bucket(size, 0.0) if size else None)],
    )
    return MeteredDecoder(LIMIT, None, meter, hits, clock)


def test_who_stays_within_the_rate_is_only_decoded(clock: Clock, hits: Counter[str]) -> None:
    decoder = metered(clock, hits, messages=10, size=1e6)
    for second in range(5):
        clock.now = second
        assert decoder.feed(written([text("a")] * 10, True)) == ["a"] * 10
    assert not hits


def test_the_message_too_many_is_1008_and_the_last(clock: Clock, hits: Counter[str]) -> None:
    decoder = metered(clock, hits, messages=2)
    *before, error = decoder.feed(written([text("a")] * 10, True))
    assert before == ["a"] * 4  # what was saved up in two seconds
    assert isinstance(error, ProtocolError)
    assert (error.code, error.reason) == (
        1008,
        "more than 2 messages a second (max_messages_per_second)",
    )
    clock.now = 100.0
    assert decoder.feed(written([text("b")], True)) == []
    assert hits == {"max_messages_per_second": 1}


def test_pings_count_as_messages(clock: Clock, hits: Counter[str]) -> None:
    decoder = metered(clock, hits, messages=1)
    events = decoder.feed(written([Frame(PING, b"x")] * 3, True))
    assert [type(event) for event in events] == [Ping, Ping, ProtocolError]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_bytes_count_once_as_they_come(clock: Clock, hits: Counter[str], size: int) -> None:
    wire = written([text("x" * 94)], True)
    assert len(wire) == 100
    decoder = metered(clock, hits, size=50)  # a hundred may be saved up
    for start in range(0, len(wire), size):
        events = decoder.feed(wire[start : start + size])
    assert events == ["x" * 94]
    (error,) = decoder.feed(b"\x81")
    assert isinstance(error, ProtocolError)
    assert hits == {"max_bytes_per_second": 1}
