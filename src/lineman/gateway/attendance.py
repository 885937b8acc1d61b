"""Tells when a user comes online anywhere, and goes offline everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lineman.gateway.names import UID_TOPIC
from lineman.gateway.nodemessages import Hold, Release, Roll, RollCall
from lineman.gateway.presence import Presence, homes_of

# Uids in one message between nodes.
AT_ONCE = 1000


class Attendance:
    """One node's part in it.

    Args:
        node: this node.
        uids: those that it holds now.
        tell: sends a message to another node.
        on_change: called with a uid and whether it is online now, once over all nodes.
    """

    def __init__(
        self,
        node: str,
        uids: Callable[[], Iterable[str]],
        tell: Callable[[str, Hold | Release | Roll], None],
        on_change: Callable[[str, bool], None],
    ) -> None:
        self._node = node
        self._uids = uids
        self._tell = tell
        self._on_change = on_change
        self._presence = Presence(node)
        self._rolls: dict[str, list[tuple[str, ...]]] = {}  # parts of those not told whole yet

    def note(self, gained: Iterable[str], lost: Iterable[str]) -> None:
        """This node has begun and ceased to hold some topics."""
        self._pass_on(_uids_of(gained), is_held=True)
        self._pass_on(_uids_of(lost), is_held=False)

    def _pass_on(self, uids: Iterable[str], is_held: bool) -> None:
        elsewhere: dict[str, list[str]] = {}
        for uid in uids:
            for home in homes_of(uid, self._presence.nodes):
                if home == self._node:
                    self._change(uid, self._node, is_held)
                else:
                    elsewhere.setdefault(home, []).append(uid)
        for home, names in elsewhere.items():
            for part in _parts(names):
                message = Hold(self._node, part, True) if is_held else Release(self._node, part)
                self._tell(home, message)

    def _change(self, uid: str, node: str, is_held: bool, is_news: bool = True) -> None:
        presence = self._presence
        has_changed = presence.hold(uid, node) if is_held else presence.release(uid, node)
        if has_changed and is_news:
            self._on_change(uid, is_held)

    def on_hold(self, hold: Hold) -> None:
        """Another node holds names of which this one is home."""
        for uid in hold.names:
            self._change(uid, hold.origin, True, hold.is_news)

    def on_release(self, release: Release) -> None:
        """Another node holds them no more."""
        for uid in release.names:
            self._change(uid, release.origin, False)

    # After messages may have been missed.

    def call_roll(self, node: str | None = None) -> None:
        """Tells one other node all names whose home it is, or each of them."""
        others = self._presence.nodes if node is None else (node,)
        mine: dict[str, list[str]] = {other: [] for other in others if other != self._node}
        for uid in self._uids():
            for home in homes_of(uid, self._presence.nodes):
                if home in mine:
                    mine[home].append(uid)
        for home, names in mine.items():
            parts = list(_parts(names)) or [()]
            for number, part in enumerate(parts):
                self._tell(home, Roll(self._node, part, number, number == len(parts) - 1))

    def on_roll_call(self, call: RollCall) -> None:
        """Another node has missed messages."""
        self.call_roll(call.origin)

    def on_roll(self, roll: Roll) -> None:
        """Another node tells all that it holds."""
        if roll.part == 0:
            self._rolls[roll.origin] = []
        told = self._rolls.get(roll.origin)
        if told is None or roll.part != len(told):
            self._rolls.pop(roll.origin, None)  # a part is missing: better nothing than half
            return
        told.append(roll.names)
        if not roll.is_last:
            return
        del self._rolls[roll.origin]
        names = {name for part in told for name in part}
        for uid in self._presence.held_by(roll.origin):
            if uid not in names:
                self._change(uid, roll.origin, False)
        for uid in names:
            self._change(uid, roll.origin, True)

    def forget(self, node: str) -> None:
        """A node is gone, says another one; this one may have begun after its end."""
        for uid in self._presence.drop(node):
            self._on_change(uid, False)

    def set_nodes(self, nodes: Sequence[str]) -> None:
        """Nodes have come or gone: what they took along is told, new homes learn what is theirs."""
        before = self._presence.nodes
        for gone in self._rolls.keys() - set(nodes):
            del self._rolls[gone]
        for (home, holder), names in self._presence.handover(before, nodes).items():
            for part in _parts(names):
                self._tell(home, Hold(holder, part, False))
        for uid in self._presence.set_nodes(nodes):
            self._on_change(uid, False)
        for home, names in self._presence.news_for(self._uids(), before).items():
            for part in _parts(names):
                hold = Hold(self._node, part, False)
                if home == self._node:
                    self.on_hold(hold)
                else:
                    self._tell(home, hold)


def _uids_of(topics: Iterable[str]) -> list[str]:
    skip = len(UID_TOPIC)
    return [topic[skip:] for topic in topics if topic.startswith(UID_TOPIC)]


def _parts(names: list[str]) -> Iterable[tuple[str, ...]]:
    for start in range(0, len(names), AT_ONCE):
        yield tuple(names[start : start + AT_ONCE])
