"""Which users are online anywhere, told once for all nodes. Pure.

Each name has two homes among the nodes that live: the first says when the name comes and goes, the
second knows the same and takes its place when it dies. They are chosen by rendezvous hashing
(Thaler and Ravishankar, 1996): every node finds the same ones by itself, and when a node comes or
goes only the names that it is home of move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def homes_of(name: str, nodes: Sequence[str]) -> tuple[str, ...]:
    """The homes of a name: the first, and the one that takes its place; fewer with fewer nodes.

    Args:
        name: a uid or a group.
        nodes: all that live, at least one.
    """
    if len(nodes) <= 1:
        return tuple(nodes)
    text = name.encode()

    def weight(node: str) -> bytes:
        return hashlib.blake2b(text, key=node.encode(), digest_size=8).digest()

    return tuple(sorted(nodes, key=weight, reverse=True)[:2])


def new_homes_of(name: str, before: Sequence[str], nodes: Sequence[str]) -> list[str]:
    """The homes that a name has got since other nodes lived."""
    had = homes_of(name, before)
    return [home for home in homes_of(name, nodes) if home not in had]


class Presence:
    """What one node knows of the names whose home it is.

    Args:
        node: this node.

    Attributes:
        nodes: all that live, this one among them.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self.nodes: tuple[str, ...] = (node,)
        # Nearly every name is held by one node: it stands here without a set of its own.
        self._holders: dict[str, str | set[str]] = {}

    def knows(self, name: str) -> bool:
        """Whether a node holds the name, as far as this one is its home."""
        return name in self._holders

    def hold(self, name: str, node: str) -> bool:
        """A node has begun to hold a name.

        Returns:
            Whether the name is online only now, and this node is to say so.
        """
        found = self._holders.get(name)
        if found is None:
            self._holders[name] = node
            return self._is_first_home(name)
        if isinstance(found, set):
            found.add(node)
        elif found != node:
            self._holders[name] = {found, node}
        return False

    def release(self, name: str, node: str) -> bool:
        """A node has ceased to hold a name.

        Returns:
            Whether the name is offline now, and this node is to say so.
        """
        return self._drop(name, node) and self._is_first_home(name)

    def _drop(self, name: str, node: str) -> bool:
        """Forgets one holder; whether it was the last."""
        found = self._holders.get(name)
        if isinstance(found, set):
            found.discard(node)
            if len(found) == 1:
                (self._holders[name],) = found
            return False
        if found != node:
            return False
        del self._holders[name]
        return True

    def held_by(self, node: str) -> list[str]:
        """The names that a node holds, as far as this one is their home."""
        return [
            name for name, found in self._holders.items()
            if found == node or (isinstance(found, set) and node in found)
        ]  # fmt: skip

    def drop(self, node: str) -> list[str]:
        """A node is gone that this one need never have heard of itself.

        Returns:
            As `set_nodes`.
        """
        return [
            name for name in self.held_by(node)
            if self._drop(name, node) and self._is_first_home(name)
        ]  # fmt: skip

    # When nodes have come or gone: `nodes` says so first, then each name is looked at.

    def names(self) -> list[str]:
        """Those whose home this node is, or was until nodes came or went."""
        return list(self._holders)

    def handover(self, name: str, before: Sequence[str]) -> list[tuple[str, str]]:
        """Which homes that are new must be told of which holders that are other nodes.

        A node may have died and not be missed yet: it cannot announce again what it held.
        """
        if set(self.nodes) <= set(before):
            return []
        found = self._holders.get(name)
        if found is None:
            return []
        return [
            (home, holder)
            for home in new_homes_of(name, before, self.nodes)
            if home != self._node
            for holder in (found if isinstance(found, set) else (found,))
            if holder not in (self._node, home)
        ]

    def review(self, name: str, gone: Iterable[str]) -> str | None:
        """Lets go of nodes that have gone, and of a name that has other homes now.

        Returns:
            The node with which the name has gone offline, where this node is to say so.
        """
        for node in gone:
            if node not in self.nodes and self._drop(name, node):
                return node if self._is_first_home(name) else None
        if name in self._holders and self._node not in homes_of(name, self.nodes):
            del self._holders[name]  # others know it now
        return None

    def home_of(self, name: str) -> str:
        """The first home of a name, which says when it comes and goes."""
        return homes_of(name, self.nodes)[0]

    def _is_first_home(self, name: str) -> bool:
        return self.home_of(name) == self._node
