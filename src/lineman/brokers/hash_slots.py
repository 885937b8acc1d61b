"""The nodes of a Redis Cluster that serve its 16384 hash slots. Pure.

Source: Redis Cluster specification, "Key distribution model", "MOVED Redirection"; CLUSTER SLOTS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

SLOTS = 16384

Address = tuple[str, int]


class SlotMap:
    """The primaries by slot.

    Args:
        answer: the answer to CLUSTER SLOTS.
        asked: the node that answered; it may leave its own host out of the answer.

    Raises:
        ConnectionError: no node serves some of the slots.

    Attributes:
        known: all nodes in the answer, replicas included: they are asked the next time.
    """

    def __init__(self, answer: Iterable[Sequence[Any]], asked: Address) -> None:
        self._owners: list[Address | None] = [None] * SLOTS
        self.known: set[Address] = set()
        for first, last, *nodes in answer:
            addresses = [_address(node, asked) for node in nodes]
            self._owners[first : last + 1] = [addresses[0]] * (last + 1 - first)
            self.known.update(addresses)
        missing = self._owners.count(None)
        if missing:
            raise ConnectionError(f"{missing} of the cluster's {SLOTS} slots are served by no node")

    @property
    def primaries(self) -> set[Address]:
        """The nodes that serve a slot."""
        return {owner for owner in self._owners if owner is not None}

    def owner(self, slot: int) -> Address:
        """The node that serves a slot."""
        owner = self._owners[slot]
        assert owner is not None
        return owner

    def move(self, slot: int, owner: Address) -> None:
        """Another node serves a slot from now on."""
        self._owners[slot] = owner
        self.known.add(owner)


def _address(node: Sequence[Any], asked: Address) -> Address:
    host = node[0].decode() if isinstance(node[0], bytes) else node[0]
    return (asked[0] if host in ("", "?", None) else host, int(node[1]))


def moved_to(error: Exception) -> tuple[int, Address] | None:
    """The slot that has moved and the node that serves it now, if a server's error says so.

    Older versions of redis-py have no separate error for it if they use no cluster.
    """
    words = str(error).removeprefix("MOVED ").split()
    is_told = type(error).__name__ == "MovedError" or str(error).startswith("MOVED ")
    if not is_told or len(words) != 2:
        return None
    host, _, port = words[1].rpartition(":")
    return int(words[0]), (host, int(port))


def by_slot(channels: Iterable[bytes], slot_of: Callable[[bytes], int]) -> dict[int, list[bytes]]:
    """Channels by their slot: one command may name channels of one slot only."""
    found: dict[int, list[bytes]] = {}
    for channel in channels:
        found.setdefault(slot_of(channel), []).append(channel)
    return found
