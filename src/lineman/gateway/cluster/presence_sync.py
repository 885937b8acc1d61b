"""Reports when a user comes online on any node, and goes offline on all nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lineman.gateway.cluster.paced_jobs import Job
from lineman.gateway.cluster.presence import Presence, homes_of, new_homes_of
from lineman.gateway.wire.names import UID_TOPIC
from lineman.gateway.wire.node_messages import AskHeldUids, HeldUids, Hold, Release

# The largest number of uids in one message between nodes.
AT_ONCE = 1000
# The number of names that one step of a job handles.
STEP = 50
# Seconds within which a node that counted as gone may return, with its users.
MAX_ABSENCE = 3600.0


class _Missing:
    """Users that were reported offline because their node counted as gone; it may return."""

    def __init__(self) -> None:
        self.uids: set[str] = set()
        self.until = 0.0


class PresenceSync:
    """One node's part in the presence of users.

    Args:
        node: this node.
        uids: returns the uids that it holds now.
        do: runs a job, which may be long, after the earlier ones.
        on_change: called with a uid and whether it is online now, once over all nodes.
        clock: seconds that only go forward.
        at_once: the largest number of uids in one message between nodes.

    Attributes:
        awaited: nodes that were asked for all that they hold, and have not told it yet.
    """

    def __init__(
        self,
        node: str,
        uids: Callable[[], Iterable[str]],
        do: Callable[[Job], None],
        on_change: Callable[[str, bool], None],
        clock: Callable[[], float],
        at_once: int = AT_ONCE,
    ) -> None:
        self._at_once = at_once
        self._node = node
        self._uids = uids
        self._do = do
        self._on_change = on_change
        self._clock = clock
        self._presence = Presence(node)
        self._called: set[str] = set()  # nodes that need all uids, and wait for a job to begin
        self._parts: dict[str, int] = {}  # the next part of `HeldUids` that is expected, by node
        self._named: dict[str, set[str]] = {}  # uids of unfinished `HeldUids`, by node
        self._missing: dict[str, _Missing] = {}  # by the lost node
        self.awaited: set[str] = set()

    def note(self, gained: Iterable[str], lost: Iterable[str]) -> None:
        """Tells the homes which topics this node has begun and ceased to hold."""
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
        if elsewhere:
            self._do(self._tell_homes(elsewhere, is_held))

    def _tell_homes(self, elsewhere: dict[str, list[str]], is_held: bool) -> Job:
        for home, names in elsewhere.items():
            for start in range(0, len(names), self._at_once):
                part = tuple(names[start : start + self._at_once])
                yield home, Hold(self._node, part, True) if is_held else Release(self._node, part)

    def _change(self, uid: str, node: str, is_held: bool, is_news: bool = True) -> None:
        presence = self._presence
        has_changed = presence.hold(uid, node) if is_held else presence.release(uid, node)
        if has_changed and is_news:
            self._on_change(uid, is_held)

    def on_hold(self, hold: Hold) -> None:
        """Another node holds names whose home this node is."""
        named = self._named.get(hold.origin)
        if named is not None:
            named.update(hold.names)
        for uid in hold.names:
            if not self._has_returned(uid, hold.origin, hold.is_news):
                self._change(uid, hold.origin, True, hold.is_news)

    def on_release(self, release: Release) -> None:
        """Another node no longer holds some names."""
        for uid in release.names:
            self._change(uid, release.origin, False)

    def _tell_missing(self, uid: str, node: str) -> None:
        missing = self._missing.setdefault(node, _Missing())
        missing.until = self._clock() + MAX_ABSENCE
        missing.uids.add(uid)
        self._on_change(uid, False)

    def _has_returned(self, uid: str, node: str, is_news: bool) -> bool:
        """Reports a name online again that was reported offline because its node was lost.

        The returned node may be the first home of the name. It never lost the name, so it reports
        nothing itself.
        """
        missing = self._missing.get(node)
        if missing is None or uid not in missing.uids:
            return False
        missing.uids.discard(uid)
        presence = self._presence
        if is_news or presence.knows(uid) or presence.home_of(uid) not in (self._node, node):
            return False
        presence.hold(uid, node)
        self._on_change(uid, True)
        return True

    def sweep(self) -> None:
        """Forgets nodes that have not returned within `MAX_ABSENCE`."""
        now = self._clock()
        for node in [node for node, missing in self._missing.items() if now > missing.until]:
            del self._missing[node]

    # When messages may have been lost.

    def tell_held_uids(self, node: str | None = None) -> None:
        """Tells a node, or each of them, the names that are held here and whose home it is."""
        is_due = bool(self._called)
        self._called.update(self._presence.nodes if node is None else (node,))
        self._called.discard(self._node)
        if self._called and not is_due:
            self._do(self._tell_held_uids())

    def _tell_held_uids(self) -> Job:
        called, self._called = self._called, set()
        parts = dict.fromkeys(called, 0)

        def homes(uid: str) -> Iterable[str]:
            return called.intersection(homes_of(uid, self._presence.nodes))

        for share in _shares(list(self._uids()), homes, self._at_once):
            if share is None:
                yield None
                continue
            node, names = share
            yield node, HeldUids(self._node, names, parts[node], False)
            parts[node] += 1
        for node, number in parts.items():
            yield node, HeldUids(self._node, (), number, True)

    def on_ask_held_uids(self, asked: AskHeldUids) -> None:
        """Another node may have missed messages."""
        self.tell_held_uids(asked.origin)

    def on_held_uids(self, held: HeldUids) -> None:
        """Another node lists all that it holds, in parts."""
        origin = held.origin
        if held.part == 0:
            self._parts[origin] = 0
            self._named[origin] = set()
        named = self._named.get(origin)
        if named is not None:
            named.update(held.names)
        for uid in held.names:
            if not self._has_returned(uid, origin, is_news=False):
                self._change(uid, origin, True)
        if self._parts.get(origin) != held.part:
            self._forget_told(origin)  # a part is missing: its uids must not go offline
            if held.is_last:
                self._do(iter([(origin, AskHeldUids(self._node))]))
        elif held.is_last:
            del self._parts[origin]
            self.awaited.discard(origin)
            self._do(self._release_others(origin))
        else:
            self._parts[origin] += 1

    def _forget_told(self, origin: str) -> None:
        self._parts.pop(origin, None)
        self._named.pop(origin, None)

    def _release_others(self, origin: str) -> Job:
        """A uid that is not in a node's `HeldUids` is no longer online there."""
        named = self._named.get(origin)
        if named is None:
            return
        for count, uid in enumerate(self._presence.held_by(origin), 1):
            if self._named.get(origin) is not named:
                return  # a new list has begun
            if uid not in named:
                self._change(uid, origin, False)
            if count % STEP == 0:
                yield None
        if self._named.get(origin) is named and origin not in self._parts:
            del self._named[origin]

    def forget(self, node: str) -> None:
        """Removes a node that another node reports as gone; this one may have started later."""
        for uid in self._presence.drop(node):
            self._tell_missing(uid, node)

    # Nodes come and go.

    def set_nodes(self, nodes: Sequence[str]) -> None:
        """Nodes have come or gone: reports the users that went offline, and informs new homes."""
        before = self._presence.nodes
        for gone in set(before) - set(nodes):
            self._forget_told(gone)
        self._presence.nodes = tuple(nodes)
        self.awaited &= set(nodes)
        self._do(self._review(before, set(before) - set(nodes)))
        self._do(self._tell_new_homes(before))

    def _review(self, before: Sequence[str], gone: set[str]) -> Job:
        presence = self._presence
        told: dict[tuple[str, str], list[str]] = {}
        for count, name in enumerate(presence.names(), 1):
            for home, holder in presence.handover(name, before):
                found = told.setdefault((home, holder), [])
                found.append(name)
                if len(found) == self._at_once:
                    yield home, Hold(holder, tuple(found), False)
                    found.clear()
            lost = presence.review(name, gone)
            if lost is not None:
                self._tell_missing(name, lost)
            if count % STEP == 0:
                yield None
        for (home, holder), found in told.items():
            if found:
                yield home, Hold(holder, tuple(found), False)

    def _tell_new_homes(self, before: Sequence[str]) -> Job:
        def homes(uid: str) -> Iterator[str]:
            for home in new_homes_of(uid, before, self._presence.nodes):
                if home == self._node:
                    self._change(uid, self._node, True, is_news=False)
                else:
                    yield home

        for share in _shares(list(self._uids()), homes, self._at_once):
            yield None if share is None else (share[0], Hold(self._node, share[1], False))


def _shares(
    names: Iterable[str], targets: Callable[[str], Iterable[str]], at_once: int
) -> Iterator[tuple[str, tuple[str, ...]] | None]:
    """Parts of names for each target node; None after every `STEP` names, so a job can pause."""
    collected: dict[str, list[str]] = {}
    for count, name in enumerate(names, 1):
        for node in targets(name):
            found = collected.setdefault(node, [])
            found.append(name)
            if len(found) == at_once:
                yield node, tuple(found)
                found.clear()
        if count % STEP == 0:
            yield None
    for node, found in collected.items():
        if found:
            yield node, tuple(found)


def _uids_of(topics: Iterable[str]) -> list[str]:
    skip = len(UID_TOPIC)
    return [topic[skip:] for topic in topics if topic.startswith(UID_TOPIC)]
