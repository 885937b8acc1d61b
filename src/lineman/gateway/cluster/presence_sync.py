"""Reports when a user comes online on any node, and goes offline on all nodes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from lineman.gateway.cluster.home_words import HomeWords, parts_of
from lineman.gateway.cluster.paced_jobs import Job
from lineman.gateway.cluster.presence import Presence, homes_of, new_homes_of
from lineman.gateway.cluster.uids_elsewhere import UidsElsewhere
from lineman.gateway.wire.names import UID_TOPIC
from lineman.gateway.wire.node_messages import (
    AskHeldUids,
    HeldUids,
    Hold,
    HomeWord,
    Release,
    SharedUids,
)

# The largest number of uids in one message between nodes.
AT_ONCE = 1000
# The number of names that one step of a job handles.
STEP = 50
# Seconds after which a home that has not listed what it knows is told again what is held here; each
# time twice as many, up to the second number.
FIRST_RETRY = 3.0
LAST_RETRY = 300.0
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
        tell: sends a message to another node at once, before all jobs.
        at_once: the largest number of uids in one message between nodes.

    Attributes:
        awaited: nodes that were asked for all that they hold, and have not told it yet.
        elsewhere: which of the uids here other nodes may hold too.
    """

    def __init__(
        self,
        node: str,
        uids: Callable[[], Collection[str]],
        do: Callable[[Job], None],
        on_change: Callable[[str, bool], None],
        clock: Callable[[], float],
        tell: Callable[[str, Hold | HomeWord], None],
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
        self._tell = tell
        self.elsewhere = UidsElsewhere()
        self._batch = 0
        self._untold: set[str] = set()  # nodes whose uids are not all known since nodes changed
        self._waiting: dict[str, int] = {}  # the rounds of nodes that wait for `SharedUids`
        self._retry_pause = self._retry_at = 0.0
        self.doubt()

    def note(self, gained: Iterable[str], lost: Iterable[str]) -> None:
        """Tells the homes which topics this node has begun and ceased to hold."""
        come, gone = _uids_of(gained), _uids_of(lost)
        self.elsewhere.lose(gone)
        if come:
            self._batch += 1
            self.elsewhere.gain(come, self._batch)
            self._tell_gained(come)
        released: dict[str, list[str]] = {}
        for uid in gone:
            for home in homes_of(uid, self._presence.nodes):
                if home == self._node:
                    self._release(uid, self._node)
                else:
                    released.setdefault(home, []).append(uid)
        if released:
            self._do(self._tell_released(released))

    def _tell_gained(self, uids: Iterable[str]) -> None:
        """Does so at once, before all jobs: until the homes know it, others do not send here."""
        words = HomeWords(self._presence)
        told: dict[str, list[str]] = {}
        for uid in uids:
            for home in homes_of(uid, self._presence.nodes):
                if home == self._node:
                    self._hold(uid, self._node, words, is_asked=True)
                else:
                    told.setdefault(home, []).append(uid)
        for home, names in told.items():
            for part in parts_of(names, self._at_once):
                self._tell(home, Hold(self._node, part, True, self._batch))
        self._say(words, self._node, self._batch)

    def _tell_released(self, released: dict[str, list[str]]) -> Job:
        for home, names in released.items():
            for part in parts_of(names, self._at_once):
                held = self._uids()  # what has come back meanwhile was told at once
                yield home, Release(self._node, tuple(uid for uid in part if uid not in held))

    def _hold(
        self, uid: str, node: str, words: HomeWords, is_news: bool = True, is_asked: bool = False
    ) -> None:
        is_new = node not in self._presence.holders_of(uid)
        is_first = self._presence.hold(uid, node)
        if is_first and is_news:
            self._on_change(uid, True)
        words.note(uid, node, is_new, is_first, is_asked)

    def _release(self, uid: str, node: str) -> None:
        if self._presence.release(uid, node):
            self._on_change(uid, False)

    def _say(self, words: HomeWords, asker: str, batch: int) -> None:
        for node, word in words.messages(self._node, asker, batch):
            if node == self._node:
                self.on_home_word(word)
            else:
                self._tell(node, word)

    def on_hold(self, hold: Hold) -> None:
        """Another node holds names whose home this node is."""
        named = self._named.get(hold.origin)
        if named is not None:
            named.update(hold.names)
        words = HomeWords(self._presence)
        for uid in hold.names:
            if not self._has_returned(uid, hold.origin, hold.is_news):
                self._hold(uid, hold.origin, words, hold.is_news, hold.batch > 0)
        self._say(words, hold.origin, hold.batch)

    def on_release(self, release: Release) -> None:
        """Another node no longer holds some names."""
        for uid in release.names:
            self._release(uid, release.origin)

    # What other nodes hold as well.

    def on_home_word(self, word: HomeWord) -> None:
        """The home of uids says whether others hold them too."""
        for uid in word.alone:
            if self._presence.home_of(uid) == word.origin:
                self.elsewhere.on_alone(uid, word.batch)
        held = self._uids()
        for uid in word.shared:
            if uid in held:
                self.elsewhere.on_shared(uid)

    def on_shared_uids(self, shared: SharedUids) -> None:
        """A home lists which of the uids here others hold too."""
        if shared.view == self._view():
            held = self._uids()
            names = [uid for uid in shared.names if uid in held]
            self.elsewhere.on_list(shared.origin, shared.of_round, names, shared.is_last)

    def _view(self) -> int:
        return zlib.crc32(",".join(self._presence.nodes).encode())

    def knows(self, uid: str) -> bool | None:
        """Whether any node holds a uid whose home this node is; None while it cannot know."""
        return None if self._untold else self._presence.knows(uid)

    def doubt(self) -> None:
        """Whatever is held here others may hold too: nodes came or went, or messages were lost."""
        self.elsewhere.begin(self._presence.nodes)
        self._retry_pause = FIRST_RETRY
        self._retry_at = self._clock() + FIRST_RETRY
        self._waiting[self._node] = self.elsewhere.round
        self._list_for_all()

    def _list_for_all(self) -> None:
        """Lists for each node that waits for it, once this node knows what all of them hold."""
        if self._untold:
            return
        waiting, self._waiting = self._waiting, {}
        for node, of_round in waiting.items():
            self._do(self._list_shared(node, of_round))

    def _list_shared(self, node: str, of_round: int) -> Job:
        found = []
        for count, uid in enumerate(self._presence.held_by(node), 1):
            if self._presence.is_shared(uid):
                found.append(uid)
            if count % STEP == 0:
                yield None
        parts = [*parts_of(found, self._at_once)] or [()]
        for number, part in enumerate(parts, 1):
            said = SharedUids(self._node, of_round, part, number == len(parts), self._view())
            if node == self._node:
                self.on_shared_uids(said)
            else:
                yield node, said

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
        if not self.elsewhere.is_known and now >= self._retry_at:
            self._retry_pause = min(2 * self._retry_pause, LAST_RETRY)
            self._retry_at = now + self._retry_pause
            for node in self.elsewhere.awaited:
                self.tell_held_uids(node)
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
        of_round = self.elsewhere.round
        parts = dict.fromkeys(called, 1)
        for node in called:  # first: what is held from now on is told besides
            yield node, HeldUids(self._node, (), 0, False)

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
            yield node, HeldUids(self._node, (), number, True, of_round)

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
        words = HomeWords(self._presence)
        for uid in held.names:
            if not self._has_returned(uid, origin, is_news=False):
                self._hold(uid, origin, words)
        self._say(words, origin, 0)
        if self._parts.get(origin) != held.part:
            self._forget_told(origin)  # a part is missing: its uids must not go offline
            if held.is_last:
                self._do(iter([(origin, AskHeldUids(self._node))]))
        elif held.is_last:
            del self._parts[origin]
            self.awaited.discard(origin)
            self._untold.discard(origin)
            self._do(self._release_others(origin))
            if held.of_round:
                self._waiting[origin] = held.of_round
            self._list_for_all()
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
                self._release(uid, origin)
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
        self._untold = set(nodes) - {self._node}
        self._waiting = {node: told for node, told in self._waiting.items() if node in nodes}
        self._do(self._review(before, set(before) - set(nodes)))
        self._do(self._tell_new_homes(before))
        self.doubt()

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
                    words = HomeWords(self._presence)
                    self._hold(uid, self._node, words, is_news=False)
                    self._say(words, self._node, 0)
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
