from __future__ import annotations

import pytest

from lineman.errors import ConfigError
from lineman.net.connection.send_queue import (
    NO_PLACE,
    OVERHEAD,
    SendQueue,
    SlowReaders,
    Waiting,
    policy,
)


def put(outbox: SendQueue, entry: Waiting, key: object, room: int) -> int:
    if key is None:
        return outbox.put(entry, NO_PLACE, room)
    hashed = hash(key)
    return outbox.put(entry, (key, hashed, outbox.find(key, hashed)), room)


def drained(outbox: SendQueue) -> list[object]:
    return [outbox.pop() for _ in range(len(outbox))]


def test_messages_leave_in_the_order_in_which_they_came() -> None:
    outbox = SendQueue(replaces=False)
    for entry in (b"a", b"b", (0x81, b"c")):
        assert put(outbox, entry, None, 1000) == 0
    assert (len(outbox), outbox.size) == (3, 3)
    assert drained(outbox) == [b"a", b"b", (0x81, b"c")]
    assert (len(outbox), outbox.size, outbox.given_up) == (0, 0, 0)


def test_the_oldest_is_dropped_when_one_byte_too_much_waits() -> None:
    room = 3 * (10 + OVERHEAD)
    outbox = SendQueue(replaces=False)
    for number in range(3):
        assert put(outbox, b"%010d" % number, None, room) == 0  # the limit is met exactly
    assert outbox.weight == room
    assert put(outbox, b"%010d" % 3, None, room) == 1
    assert put(outbox, b"%011d" % 4, None, room) == 2
    assert drained(outbox) == [b"%010d" % 3, b"%011d" % 4]


def test_a_large_message_drops_as_many_as_it_needs_room_for() -> None:
    outbox = SendQueue(replaces=False)
    room = 5 * (100 + OVERHEAD)
    for _ in range(5):
        put(outbox, bytes(100), None, room)
    assert put(outbox, bytes(100 + OVERHEAD), None, room) == 2
    assert put(outbox, bytes(room - OVERHEAD), None, room) == 4
    assert outbox.weight == room
    assert outbox.given_up == 6


def test_the_newest_stays_also_where_there_is_no_room() -> None:
    outbox = SendQueue(replaces=False)
    for number in range(4):
        put(outbox, b"%d" % number, None, -5)
    assert drained(outbox) == [b"3"]
    assert outbox.given_up == 3


def test_keys_mean_nothing_unless_messages_are_replaced() -> None:
    outbox = SendQueue(replaces=False)
    put(outbox, b"1", "k", 1000)
    put(outbox, b"2", "k", 1000)
    assert drained(outbox) == [b"1", b"2"]


def test_a_newer_message_takes_the_place_of_the_one_of_its_key() -> None:
    outbox = SendQueue(replaces=True)
    for entry, key in ((b"eur 1", "eur"), (b"usd 1", "usd"), (b"note", None), (b"eur 22", "eur")):
        assert put(outbox, entry, key, 10_000) == 0
    assert outbox.size == len(b"eur 22" + b"usd 1" + b"note")
    assert outbox.given_up == 1
    assert drained(outbox) == [b"eur 22", b"usd 1", b"note"]


def test_messages_without_a_key_replace_nothing() -> None:
    outbox = SendQueue(replaces=True)
    for number in range(3):
        put(outbox, b"%d" % number, None, 10_000)
    assert drained(outbox) == [b"0", b"1", b"2"]


def test_a_newest_that_stands_in_the_oldest_place_is_not_dropped_itself() -> None:
    outbox = SendQueue(replaces=True)
    room = 2 * (10 + OVERHEAD)
    put(outbox, bytes(10), "a", room)
    put(outbox, bytes(10), "b", room)
    assert put(outbox, bytes(11), "a", room) == 1
    assert drained(outbox) == [bytes(11)]


@pytest.mark.parametrize("key", [0, "", (), frozenset(), False])
def test_a_key_that_is_false_is_one_all_the_same(key: object) -> None:
    outbox = SendQueue(replaces=True)
    put(outbox, b"1", key, 1000)
    put(outbox, b"2", key, 1000)
    assert drained(outbox) == [b"2"]


def test_keys_of_the_same_hash_are_told_apart_and_none_is_kept_behind_its_message() -> None:
    class Key:
        def __init__(self, name: str) -> None:
            self.name = name

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Key) and other.name == self.name

    outbox = SendQueue(replaces=True)
    for entry, name in ((b"a 1", "a"), (b"b 1", "b"), (b"c 1", "c"), (b"b 2", "b"), (b"a 2", "a")):
        put(outbox, entry, Key(name), 10_000)
    assert drained(outbox) == [b"a 2", b"b 2", b"c 1"]
    assert outbox.find(Key("a"), 7) == 0
    assert not outbox._by_hash


def test_a_message_whose_place_has_left_meanwhile_waits_as_a_new_one() -> None:
    outbox = SendQueue(replaces=True)
    put(outbox, b"1", "k", 1000)
    place = ("k", hash("k"), outbox.find("k", hash("k")))
    assert place[2]
    outbox.pop()
    outbox.put(b"2", place, 1000)
    put(outbox, b"3", "k", 1000)
    assert (drained(outbox), outbox.given_up) == ([b"3"], 1)


def test_the_size_is_right_whatever_happens() -> None:
    outbox = SendQueue(replaces=True)
    for number in range(2000):
        put(outbox, bytes(number * 7 % 50), number * 13 % 17 or None, 2000)
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
