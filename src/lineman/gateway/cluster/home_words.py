"""What the home of uids says to the nodes that hold them: whether others hold them too. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lineman.gateway.cluster.presence import Presence
from lineman.gateway.wire.node_messages import HomeWord


class HomeWords:
    """Collects the words about the uids of one message, for each node that holds some of them.

    Args:
        presence: what this node knows as a home.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._alone: list[str] = []
        self._shared: dict[str, list[str]] = {}

    def note(self, uid: str, node: str, is_new: bool, is_first: bool, is_asked: bool) -> None:
        """Notes that a node holds a uid.

        Args:
            uid: the uid.
            node: the node; it is among the uid's holders now.
            is_new: whether it was not among them before.
            is_first: whether it is the only one, is new, and this node is the first home.
            is_asked: whether the node wants to know who else holds the uid.
        """
        if is_first:
            if is_asked:
                self._alone.append(uid)
            return
        holders = self._presence.holders_of(uid)
        if len(holders) > 1:
            if (is_new or is_asked) and self._presence.home_of(uid) == self._presence.node:
                for holder in holders:
                    self._shared.setdefault(holder, []).append(uid)
        elif is_asked and not is_new and self._presence.home_of(uid) == self._presence.node:
            self._alone.append(uid)

    def messages(self, home: str, asker: str, batch: int) -> Iterator[tuple[str, HomeWord]]:
        """The messages, with the node for which each is.

        Args:
            home: this node.
            asker: the node whose batch is answered.
            batch: see `HomeWord`.
        """
        if self._alone:
            yield asker, HomeWord(home, batch, tuple(self._alone), ())
        for holder, uids in self._shared.items():
            yield holder, HomeWord(home, 0, (), tuple(uids))


def parts_of(names: Sequence[str], at_once: int) -> Iterator[tuple[str, ...]]:
    """Names in parts, each for one message."""
    for start in range(0, len(names), at_once):
        yield tuple(names[start : start + at_once])
