"""Messages of channels that no layer owns: order, capacity, expiry, and who waits for them."""

from __future__ import annotations

from lineman.channels.general_channels import GeneralChannels, Handed


def channels(max_bytes: int = 1000) -> GeneralChannels[str]:
    return GeneralChannels(max_bytes)


def test_messages_keep_their_order_and_are_taken_once() -> None:
    some = channels()
    for payload in (b"1", b"2", b"3"):
        assert some.put("a", payload, 10.0, 0.0, 3) is True
    assert some.put("b", b"x", 10.0, 0.0, 3) is True
    assert [some.take("a", 1.0) for _ in range(4)] == [
        (10.0, b"1"),
        (10.0, b"2"),
        (10.0, b"3"),
        None,
    ]
    assert some.take("b", 1.0) == (10.0, b"x")
    assert some.size == 0


def test_a_full_channel_takes_no_more_and_others_do() -> None:
    some = channels()
    assert some.put("a", b"1", 10.0, 0.0, 1) is True
    assert some.put("a", b"2", 10.0, 0.0, 1) is False
    assert some.put("b", b"2", 10.0, 0.0, 1) is True


def test_expired_messages_are_not_received_and_make_room() -> None:
    some = channels()
    some.put("a", b"old", 5.0, 0.0, 2)
    some.put("a", b"young", 9.0, 4.0, 2)
    assert some.put("a", b"new", 11.0, 6.0, 2) is True
    assert some.take("a", 7.0) == (9.0, b"young")
    assert some.take("a", 12.0) is None
    assert not some.expire(12.0)
    assert some.size == 0


def test_a_message_that_lives_shorter_than_one_before_it_expires_all_the_same() -> None:
    some = channels()
    some.put("a", b"long", 100.0, 0.0, 2)
    some.put("a", b"short", 1.0, 0.0, 2)
    assert some.put("a", b"next", 100.0, 2.0, 2) is True
    assert [some.take("a", 2.0) for _ in range(3)] == [(100.0, b"long"), (100.0, b"next"), None]


def test_the_first_who_waits_gets_the_message() -> None:
    some = channels()
    some.wait("a", "one", 1)
    some.wait("a", "two", 7)
    assert some.wanted == ["a"]
    assert some.put("a", b"1", 10.0, 0.0, 1) == Handed("one", 1)
    assert some.put("a", b"2", 10.0, 0.0, 1) == Handed("two", 7)
    assert not some.has_waiting("a")
    assert some.put("a", b"3", 10.0, 0.0, 1) is True


def test_who_stops_waiting_or_goes_away_gets_nothing() -> None:
    some = channels()
    some.wait("a", "one", 1)
    some.wait("a", "one", 2)
    some.wait("b", "one", 3)
    some.wait("a", "two", 1)
    some.stop_waiting("a", "one", 1)
    some.stop_waiting("nothing", "one", 1)
    some.forget("one")
    assert some.wanted == ["a"]
    assert some.put("a", b"1", 10.0, 0.0, 1) == Handed("two", 1)


def test_a_message_that_comes_back_is_the_next_one() -> None:
    some = channels()
    some.put("a", b"1", 10.0, 0.0, 1)
    some.take("a", 1.0)
    some.put("a", b"2", 10.0, 0.0, 1)
    assert some.put_back("a", b"1", 10.0) is None
    assert some.take("a", 1.0) == (10.0, b"1")
    some.clear()
    some.wait("a", "one", 4)
    assert some.put_back("a", b"1", 10.0) == Handed("one", 4)


def test_all_messages_together_have_a_limit() -> None:
    some = channels(max_bytes=10)
    assert some.put("a", b"12345678", 10.0, 0.0, 100) is True
    assert some.put("b", b"123", 10.0, 0.0, 100) is False
    some.take("a", 1.0)
    assert some.put("b", b"123", 10.0, 0.0, 100) is True
