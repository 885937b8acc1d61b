"""Which users are online on any node; each change is reported once for all nodes. Pure.

Each name has two homes among the live nodes. The first home reports when the name comes and goes.
The second knows the same, and takes over when the first dies. Homes are chosen by rendezvous
hashing (Thaler and Ravishankar, 1996): every node computes the same homes by itself, and when a
node comes or goes, only the names whose home it is move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence


def homes_of(name: str, nodes: Sequence[str]) -> tuple[str, ...]:
    """The homes of a name: the first and the second; only one if there is one node.

    Args:
        name: a uid or a group.
        nodes: all live nodes, at least one.
    """
    if len(nodes) <= 1:
        return tuple(nodes)
    text = name.encode()

    def weight(node: str) -> bytes:
        return hashlib.blake2b(text, key=node.encode(), digest_size=8).digest()

    return tuple(sorted(nodes, key=weight, reverse=True)[:2])


def new_homes_of(name: str, before: Sequence[str], nodes: Sequence[str]) -> list[str]:
    """The homes of a name that were not its homes before.

    Args:
        name: a uid or a group.
        before: the nodes that lived before.
        nodes: the nodes that live now.
    """
    had = homes_of(name, before)
    return [home for home in homes_of(name, nodes) if home not in had]


class Presence:
    """The names whose home this node is, and the nodes that hold them.

    Args:
        node: this node.

    Attributes:
        node: this node.
        nodes: all live nodes, this one among them.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.nodes: tuple[str, ...] = (node,)
        # Nearly every name is held by one node: a set is made only for several.
        self._holders: dict[str, str | set[str]] = {}

    def knows(self, name: str) -> bool:
        """Whether any node holds the name; False if this node is not its home."""
        return name in self._holders

    def holders_of(self, name: str) -> Collection[str]:
        """The nodes that hold a name; the caller must not change them."""
        found = self._holders.get(name, ())
        return (found,) if isinstance(found, str) else found

    def is_shared(self, name: str) -> bool:
        """Whether several nodes hold a name whose first home this node is."""
        return isinstance(self._holders.get(name), set) and self._is_first_home(name)

    def hold(self, name: str, node: str) -> bool:
        """A node has begun to hold a name.

        Returns:
            Whether the name has just come online, and this node must report it.
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
            Whether the name has gone offline, and this node must report it.
        """
        return self._drop(name, node) and self._is_first_home(name)

    def _drop(self, name: str, node: str) -> bool:
        """Removes one holder; returns whether it was the last."""
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
        """The names that a node holds, of those whose home this node is."""
        return [
            name for name, found in self._holders.items()
            if found == node or (isinstance(found, set) and node in found)
        ]  # fmt: skip

    def drop(self, node: str) -> list[str]:
        """Removes a node that is gone; this node may never have received a beat of it.

        Returns:
            The names that have gone offline, and that this node must report.
        """
        return [
            name for name in self.held_by(node)
            if self._drop(name, node) and self._is_first_home(name)
        ]  # fmt: skip

    # When nodes have come or gone: first `nodes` is set, then each name is reviewed.

    def names(self) -> list[str]:
        """The names whose home this node is, or was until nodes came or went."""
        return list(self._holders)

    def handover(self, name: str, before: Sequence[str]) -> list[tuple[str, str]]:
        """Pairs of a new home and a holder that the new home must learn.

        Other nodes announce to new homes what they hold. But a holder may have died without being
        missed yet, and then cannot do that.
        """
        if set(self.nodes) <= set(before):
            return []
        found = self._holders.get(name)
        if found is None:
            return []
        return [
            (home, holder)
            for home in new_homes_of(name, before, self.nodes)
            if home != self.node
            for holder in (found if isinstance(found, set) else (found,))
            if holder not in (self.node, home)
        ]

    def review(self, name: str, gone: Iterable[str]) -> str | None:
        """Removes holders that are gone, and the name itself if it has other homes now.

        Returns:
            The node whose end took the name offline, if this node must report it; else None.
        """
        for node in gone:
            if node not in self.nodes and self._drop(name, node):
                return node if self._is_first_home(name) else None
        if name in self._holders and self.node not in homes_of(name, self.nodes):
            del self._holders[name]  # its new homes know it now
        return None

    def home_of(self, name: str) -> str:
        """The first home of a name, which reports when it comes and goes."""
        return homes_of(name, self.nodes)[0]

    def _is_first_home(self, name: str) -> bool:
        return self.home_of(name) == self.node
