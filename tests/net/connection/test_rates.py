from __future__ import annotations

from lineman.net.connection.rates import BURST, Bucket, Meter, bucket


def spent(bucket: Bucket, count: int, now: float) -> int:
    """How many of `count` may be spent at that time."""
    return sum(bucket.spend(1, now) for _ in range(count))


def test_what_was_saved_up_may_be_spent_at_once_and_then_the_rate() -> None:
    one = Bucket(10, 100.0)
    assert spent(one, 50, 100.0) == 10 * BURST
    assert spent(one, 50, 100.5) == 5
    assert spent(one, 50, 100.5) == 0
    assert spent(one, 50, 1000.0) == 10 * BURST


def test_what_was_refused_takes_nothing_out() -> None:
    one = Bucket(10, 0.0)
    assert one.spend(15, 0.0)
    assert not one.spend(6, 0.0)
    assert one.spend(5, 0.0)


def test_a_rate_below_one_lets_one_through_at_times() -> None:
    one = Bucket(0.1, 0.0)
    assert spent(one, 5, 0.0) == 1
    assert spent(one, 5, 9.0) == 0
    assert spent(one, 5, 10.0) == 1


def test_what_is_larger_than_all_that_can_be_saved_up_comes_through_and_is_paid_for() -> None:
    one = Bucket(10, 0.0)
    assert one.spend(100, 0.0)
    assert not one.spend(1, 8.0)
    assert one.spend(1, 8.2)


def test_an_empty_one_is_full_again_after_a_while() -> None:
    assert Bucket(10, 0.0).refill == BURST


def test_no_rate_is_no_limit() -> None:
    assert bucket(0, 0.0) is None
    meter = Meter([("max_messages_per_second", None)], [("max_bytes_per_second", None)])
    assert [meter.message(0.0) for _ in range(1000)] == [None] * 1000
    assert meter.bytes(1 << 40, 0.0) is None


def test_the_limit_that_is_passed_is_named() -> None:
    meter = Meter(
        [("max_messages_per_second", Bucket(1, 0.0))],
        [
            ("max_bytes_per_second", Bucket(1000, 0.0)),
            ("max_bytes_per_second_per_ip", Bucket(1500, 0.0)),
        ],
    )
    assert [meter.message(0.0) for _ in range(2)] == [None, None]
    assert meter.message(0.0) == (
        "max_messages_per_second",
        "more than 1 messages a second (max_messages_per_second)",
    )
    assert meter.bytes(2000, 0.0) is None
    assert meter.bytes(1100, 1.0) is not None
    found = Meter([], [("max_bytes_per_second_per_ip", Bucket(5, 0.0))])
    assert found.bytes(10, 0.0) is None
    assert found.bytes(1, 0.0) == (
        "max_bytes_per_second_per_ip",
        "more than 5 bytes a second of one address (max_bytes_per_second_per_ip)",
    )
