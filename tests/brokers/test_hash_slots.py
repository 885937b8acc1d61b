from __future__ import annotations

import pytest

from lineman.brokers.hash_slots import SLOTS, SlotMap, by_slot, moved_to

ASKED = ("10.0.0.1", 7000)
TWO = [
    [0, 8191, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.3", 7002, b"replica"]],
    [8192, 16383, ["10.0.0.2", 7001]],
]


def test_each_slot_has_its_primary_and_replicas_are_known_too() -> None:
    slots = SlotMap(TWO, ASKED)
    assert slots.owner(0) == slots.owner(8191) == ("10.0.0.1", 7000)
    assert slots.owner(8192) == slots.owner(SLOTS - 1) == ("10.0.0.2", 7001)
    assert slots.primaries == {("10.0.0.1", 7000), ("10.0.0.2", 7001)}
    assert slots.known == {*slots.primaries, ("10.0.0.3", 7002)}


@pytest.mark.parametrize("host", [b"", "", "?", None])
def test_a_node_that_leaves_out_its_own_host_is_the_one_that_was_asked(host: object) -> None:
    slots = SlotMap([[0, SLOTS - 1, [host, 7005]]], ASKED)
    assert slots.primaries == {("10.0.0.1", 7005)}


def test_slots_that_nobody_serves_are_counted() -> None:
    with pytest.raises(ConnectionError, match="8192 of the cluster's 16384 slots are served by no"):
        SlotMap(TWO[:1], ASKED)


def test_a_slot_that_moves_has_its_new_owner() -> None:
    slots = SlotMap(TWO, ASKED)
    slots.move(5, ("10.0.0.9", 7009))
    assert slots.owner(5) == ("10.0.0.9", 7009)
    assert slots.owner(6) == ("10.0.0.1", 7000)
    assert ("10.0.0.9", 7009) in slots.known


class MovedError(Exception):
    """As redis-py's, which cuts the first word off."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception("MOVED 5 10.0.0.9:7009"), (5, ("10.0.0.9", 7009))),
        (MovedError("5 10.0.0.9:7009"), (5, ("10.0.0.9", 7009))),
        (MovedError("5 ::1:7009"), (5, ("::1", 7009))),
        (Exception("MOVED"), None),
        (Exception("MOVED 5"), None),
        (Exception("5 10.0.0.9:7009"), None),
        (Exception("CLUSTERDOWN The cluster is down"), None),
    ],
)
def test_where_a_slot_has_moved_is_read_from_the_servers_error(
    error: Exception, told: object
) -> None:
    assert moved_to(error) == told


def test_channels_are_grouped_by_slot_in_their_order() -> None:
    channels = [b"a1", b"b1", b"a2"]
    assert by_slot(channels, lambda channel: channel[0]) == {97: [b"a1", b"a2"], 98: [b"b1"]}
