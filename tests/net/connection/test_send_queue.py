from __future__ import annotations

import pytest

from lineman.errors import ConfigError
from lineman.net.connection.send_queue import OVERHEAD, SendQueue, SlowReaders, policy


def drained(outbox: SendQueue) -> list[object]:
    return [outbox.pop() for _ in range(len(outbox))]


def test_messages_leave_in_the_order_in_which_they_came() -> None:
    outbox = SendQueue(replaces=False)
    for entry in (b"a", b"b", (0x81, b"c")):
        assert outbox.put(entry, None, 1000) == 0
    assert (len(outbox), outbox.size) == (3, 3)
    assert drained(outbox) == [b"a", b"b", (0x81, b"c")]
    assert (len(outbox), outbox.size, outbox.given_up) == (0, 0, 0)


def test_the_oldest_is_dropped_when_one_byte_too_much_waits() -> None:
    room = 3 * (10 + OVERHEAD)
    outbox = SendQueue(replaces=False)
    for number in range(3):
        assert outbox.put(b"%010d" % number, None, room) == 0  # the limit is met exactly
    assert outbox.weight == room
    assert outbox.put(b"%010d" % 3, None, room) == 1
    assert outbox.put(b"%011d" % 4, None, room) == 2
    assert drained(outbox) == [b"%010d" % 3, b"%011d" % 4]


def test_a_large_message_drops_as_many_as_it_needs_room_for() -> None:
    outbox = SendQueue(replaces=False)
    room = 5 * (100 + OVERHEAD)
    for _ in range(5):
        outbox.put(bytes(100), None, room)
    assert outbox.put(bytes(100 + OVERHEAD), None, room) == 2
    assert outbox.put(bytes(room - OVERHEAD), None, room) == 4
    assert outbox.weight == room
    assert outbox.given_up == 6


def test_the_newest_stays_also_where_there_is_no_room() -> None:
    outbox = SendQueue(replaces=False)
    for number in range(4):
        outbox.put(b"%d" % number, None, -5)
    assert drained(outbox) == [b"3"]
    assert outbox.given_up == 3


def test_keys_mean_nothing_unless_messages_are_replaced() -> None:
    outbox = SendQueue(replaces=False)
    outbox.put(b"1", "k", 1000)
    outbox.put(b"2", "k", 1000)
    assert drained(outbox) == [b"1", b"2"]


def test_a_newer_message_takes_the_place_of_the_one_of_its_key() -> None:
    outbox = SendQueue(replaces=True)
    for entry, key in ((b"eur 1", "eur"), (b"usd 1", "usd"), (b"note", None), (b"eur 22", "eur")):
        assert outbox.put(entry, key, 10_000) == 0
    assert outbox.size == len(b"eur 22" + b"usd 1" + b"note")
    assert outbox.given_up == 1
    assert drained(outbox) == [b"eur 22", b"usd 1", b"note"]


def test_messages_without_a_key_replace_nothing() -> None:
    outbox = SendQueue(replaces=True)
    for number in range(3):
        outbox.put(b"%d" % number, None, 10_000)
    assert drained(outbox) == [b"0", b"1", b"2"]


def test_a_newest_that_stands_in_the_oldest_place_is_not_dropped_itself() -> None:
    outbox = SendQueue(replaces=True)
    room = 2 * (10 + OVERHEAD)
    outbox.put(bytes(10), "a", room)
    outbox.put(bytes(10), "b", room)
    assert outbox.put(bytes(11), "a", room) == 1
    assert drained(outbox) == [bytes(11)]


@pytest.mark.parametrize("key", [0, "", (), frozenset(), False])
def test_a_key_that_is_false_is_one_all_the_same(key: object) -> None:
    outbox = SendQueue(replaces=True)
    outbox.put(b"1", key, 1000)
    outbox.put(b"2", key, 1000)
    assert drained(outbox) == [b"2"]


def test_the_size_is_right_whatever_happens() -> None:
    outbox = SendQueue(replaces=True)
    for number in range(2000):
        outbox.put(bytes(number * 7 % 50), number * 13 % 17 or None, 2000)
        assert outbox.weight <= 2000
        assert outbox.weight == outbox.size + OVERHEAD * len(outbox)
        if number % 5 == 0:
            outbox.pop()
    assert sum(len(entry) for entry in drained(outbox)) > 0  # type: ignore[arg-type]
    assert outbox.size == 0


def test_an_empty_one_has_nothing_to_give() -> None:
    with pytest.raises(KeyError):
        SendQueue(replaces=False).pop()


@pytest.mark.parametrize("name", ["close", "drop_oldest", "latest", SlowReaders.LATEST])
def test_policies_have_names(name: str) -> None:
    assert policy(name) == name


@pytest.mark.parametrize("garbage", ["", "Close", "drop", "CLOSE", None, 1, True, [], {}, b"close"])
def test_a_policy_that_is_none_is_refused_with_those_there_are(garbage: object) -> None:
    with pytest.raises(ConfigError, match=r'slow_readers is .*"close", "drop_oldest", "latest"'):
        policy(garbage)
