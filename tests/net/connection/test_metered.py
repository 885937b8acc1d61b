from __future__ import annotations

from collections import Counter

import pytest

from lineman.net.connection.metered import TrafficMeter
from lineman.net.connection.rates import Bucket, Meter


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


def metered(clock: Clock, hits: Counter[str], messages: float = 0, size: float = 0) -> TrafficMeter:
    meter = Meter(
        [("max_messages_per_second", Bucket(messages, 0.0) if messages else None)],
        [("max_bytes_per_second", Bucket(size, 0.0) if size else None)],
    )
    return TrafficMeter(meter, hits, clock)


def test_who_stays_within_the_rate_is_only_counted(clock: Clock, hits: Counter[str]) -> None:
    meter = metered(clock, hits, messages=10, size=1e6)
    for second in range(5):
        clock.now = second
        assert [meter.message() for _ in range(10)] == [None] * 10
        assert meter.bytes(1000) is None
    assert not hits


def test_the_message_too_many_is_1008(clock: Clock, hits: Counter[str]) -> None:
    meter = metered(clock, hits, messages=2)
    assert [meter.message() for _ in range(4)] == [None] * 4  # saved up in two seconds
    error = meter.message()
    assert error is not None
    assert (error.code, error.reason) == (
        1008,
        "more than 2 messages a second (max_messages_per_second)",
    )
    assert hits == {"max_messages_per_second": 1}


@pytest.mark.parametrize("size", [1, 7, 100])
def test_bytes_count_as_they_come(clock: Clock, hits: Counter[str], size: int) -> None:
    meter = metered(clock, hits, size=50)  # a hundred may be saved up
    for start in range(0, 100, size):
        assert meter.bytes(min(size, 100 - start)) is None
    error = meter.bytes(1)
    assert error is not None
    assert "max_bytes_per_second" in error.reason
    assert hits == {"max_bytes_per_second": 1}
