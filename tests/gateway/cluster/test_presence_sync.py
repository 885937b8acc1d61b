"""Nodes that wrongly believe that other nodes are dead."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from lineman.gateway.cluster.paced_jobs import Job
from lineman.gateway.cluster.presence_sync import FIRST_RETRY, MAX_ABSENCE, PresenceSync
from lineman.gateway.wire.merging import QUESTION_KINDS
from lineman.gateway.wire.node_messages import (
    AskHeldUids,
    HeldUids,
    Hold,
    HomeWord,
    Release,
    SharedUids,
)

NODES = ("a", "b", "c")


class World:
    """The syncs of three nodes; a message reaches another node if both are connected."""

    def __init__(self) -> None:
        self.now = 0.0
        self.away: set[str] = set()
        self.held: dict[str, list[str]] = {node: [] for node in NODES}
        self.news: list[tuple[str, bool]] = []
        self.syncs: dict[str, PresenceSync] = {}
        for node in NODES:
            self.syncs[node] = self._new(node)
            self.syncs[node].set_nodes(NODES)

    def _new(self, node: str) -> PresenceSync:
        return PresenceSync(
            node,
            lambda: self.held[node],
            lambda job: self._do(node, job),
            lambda uid, is_online: self.news.append((uid, is_online)),
            lambda: self.now,
            lambda other, said: self._pass(node, other, said),
        )

    def _pass(self, node: str, other: str, said: Any) -> None:
        if not self.away & {node, other}:
            self._hear(self.syncs[other], said)

    def _do(self, node: str, job: Job) -> None:
        for said in job:
            if said is not None:
                self._pass(node, *said)

    def _hear(self, presence_sync: PresenceSync, message: Any) -> None:
        if isinstance(message, Hold):
            presence_sync.on_hold(message)
        elif isinstance(message, Release):
            presence_sync.on_release(message)
        elif isinstance(message, HeldUids):
            presence_sync.on_held_uids(message)
        elif isinstance(message, HomeWord):
            presence_sync.on_home_word(message)
        elif isinstance(message, SharedUids):
            presence_sync.on_shared_uids(message)
        else:
            presence_sync.on_ask_held_uids(message)

    def come(self, node: str, uid: str) -> None:
        self.held[node].append(uid)
        self.syncs[node].note([f"uid:{uid}"], [])

    def go(self, node: str, uid: str) -> None:
        self.held[node].remove(uid)
        self.syncs[node].note([], [f"uid:{uid}"])

    def lose(self, node: str, *, is_mutual: bool) -> None:
        """Cuts a node off: the others believe it dead, and if `is_mutual` it believes them dead."""
        self.away = {node}
        for other in NODES:
            if other != node:
                self.syncs[other].set_nodes([each for each in NODES if each != node])
        if is_mutual:
            self.syncs[node].set_nodes([node])

    def find(self, node: str, order: Iterator[str] | tuple[str, ...] = NODES) -> None:
        """It is back: beats are heard in some order, and nodes are asked which uids they hold."""
        self.away = set()
        for other in order:
            self.syncs[other].set_nodes(NODES)
        self.syncs[node].tell_held_uids()
        for caller in NODES:
            for other in NODES:
                if other != caller:
                    self.syncs[other].on_ask_held_uids(AskHeldUids(caller))

    def take_news(self) -> dict[str, list[bool]]:
        news, self.news = self.news, []
        return {uid: [told for who, told in news if who == uid] for uid, _ in news}


@pytest.mark.parametrize("is_mutual", [False, True])
@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")])
def test_who_was_told_to_be_gone_with_a_node_that_lived_is_told_to_be_back(
    is_mutual: bool, order: tuple[str, ...]
) -> None:
    world = World()
    stay = [f"stay {number}" for number in range(40)]
    both = [f"both {number}" for number in range(20)]
    leave = [f"leave {number}" for number in range(20)]
    move = [f"move {number}" for number in range(20)]
    for uid in stay + both + leave + move:
        world.come("b", uid)
    for uid in both:
        world.come("c", uid)
    assert world.take_news() == {uid: [True] for uid in stay + both + leave + move}
    world.lose("b", is_mutual=is_mutual)
    for uid in leave:
        world.go("b", uid)
    for uid in move:  # by another client, before the old one is missed
        world.come("a", uid)
    news = world.take_news()
    assert {uid: news[uid] for uid in stay} == {uid: [False] for uid in stay}
    assert {uid: news[uid] for uid in move} == {uid: [False, True] for uid in move}
    world.find("b", order)
    news = world.take_news()
    assert {uid: news.pop(uid) for uid in stay} == {uid: [True] for uid in stay}
    assert set(news) <= set(leave)
    for uid in leave:
        assert True not in news.get(uid, [])
    # From here on everything is normal again.
    for uid in stay:
        world.go("b", uid)
    for uid in leave:
        world.come("b", uid)
    assert world.take_news() == {uid: [False] for uid in stay} | {uid: [True] for uid in leave}


def test_a_node_that_never_returns_is_forgotten_in_the_end() -> None:
    world = World()
    world.come("b", "bert")
    world.lose("b", is_mutual=False)
    keepers = [one for one in world.syncs.values() if one._missing]
    assert keepers
    for now, count in ((MAX_ABSENCE, len(keepers)), (MAX_ABSENCE + 1, 0)):
        world.now = now
        for one in keepers:
            one.sweep()
        assert sum(bool(one._missing) for one in keepers) == count


class SlowWorld(World):
    """Jobs go step by step, and messages between two nodes arrive in order, when the test wants."""

    def __init__(self) -> None:
        self.on_the_way: dict[tuple[str, str], deque[Any]] = {}
        self.jobs: dict[str, deque[Job]] = {node: deque() for node in NODES}
        super().__init__()
        self.arrive()

    def _new(self, node: str) -> PresenceSync:
        sync = super()._new(node)
        sync._at_once = 2
        return sync

    def _do(self, node: str, job: Job) -> None:
        self.jobs[node].append(job)

    def _pass(self, node: str, other: str, said: Any) -> None:
        self.on_the_way.setdefault((node, other), deque()).append(said)

    def arrive(self, count: int = -1, choose: random.Random | None = None) -> None:
        """So many steps and messages are done, or all."""
        while count:
            waiting: list[Any] = [pair for pair, queue in self.on_the_way.items() if queue]
            waiting += [node for node, jobs in self.jobs.items() if jobs]
            if not waiting:
                return
            one = choose.choice(waiting) if choose else waiting[0]
            if isinstance(one, tuple):
                self._hear(self.syncs[one[1]], self.on_the_way[one].popleft())
            else:
                self._work(one)
            count -= 1

    def _work(self, node: str) -> None:
        try:
            said = next(self.jobs[node][0])
        except StopIteration:
            self.jobs[node].popleft()
        else:
            if said is not None:
                self._pass(node, *said)

    def resync(self, node: str) -> None:
        """A node may have missed messages."""
        self.syncs[node].doubt()
        self.syncs[node].tell_held_uids()
        for other in NODES:
            if other != node:
                self._pass(node, other, AskHeldUids(node))

    def meet(self) -> None:
        """All ask all, as after nodes have come or gone."""
        for node in NODES:
            self.resync(node)
        self.arrive()

    def count(self) -> int:
        kind = QUESTION_KINDS["all_uid_count"]
        return int(kind.merge(sync.elsewhere.tally(self.held[n]) for n, sync in self.syncs.items()))


def test_uids_are_counted_once_and_by_numbers_where_nobody_else_holds_them() -> None:
    world = SlowWorld()
    world.meet()
    for number in range(30):
        world.come(NODES[number % 3], f"u{number}")
    assert world.count() == 30  # what nobody has confirmed is counted by name
    world.arrive()
    tallies = [world.syncs[node].elsewhere.tally(world.held[node]) for node in NODES]
    assert tallies == [[10]] * 3
    for number in range(6):  # on a second node, and on all three
        world.come("b", f"u{3 * number}")
    world.come("c", "u0")
    world.arrive()
    assert world.count() == 30
    tallies = [world.syncs[node].elsewhere.tally(world.held[node]) for node in NODES]
    assert [tally[0] for tally in tallies] == [4, 10, 10]


@pytest.mark.parametrize("seed", range(25))
def test_a_uid_that_another_node_holds_never_counts_as_here_only_once_all_is_said(
    seed: int,
) -> None:
    choose = random.Random(seed)
    world = SlowWorld()
    if choose.random() < 0.5:
        world.meet()
    uids = [f"u{number}" for number in range(8)]
    for _ in range(120):
        node, uid = choose.choice(NODES), choose.choice(uids)
        if choose.random() < 0.05:
            world.resync(node)
        elif uid in world.held[node]:
            world.go(node, uid)
        else:
            world.come(node, uid)
        world.arrive(choose.randrange(6), choose)
    world.arrive(choose=choose)
    for node in NODES:
        others = {uid for other in NODES if other != node for uid in world.held[other]}
        elsewhere = world.syncs[node].elsewhere
        assert not [u for u in world.held[node] if elsewhere.is_here_only(u) and u in others]
    assert world.count() == len({uid for held in world.held.values() for uid in held})
    # After another round it is known of each.
    world.meet()
    for node in NODES:
        others = {uid for other in NODES if other != node for uid in world.held[other]}
        elsewhere = world.syncs[node].elsewhere
        assert {u for u in world.held[node] if elsewhere.is_here_only(u)} == (
            set(world.held[node]) - others
        )


def test_a_home_that_never_lists_is_told_again_and_nothing_is_believed_meanwhile() -> None:
    world = SlowWorld()
    sync = world.syncs["a"]
    world.come("a", "u")
    assert not sync.elsewhere.is_known
    sync.sweep()
    world.arrive()
    asked = []
    world._pass = lambda node, other, said: asked.append((other, said))  # type: ignore[method-assign]
    world.now = FIRST_RETRY
    sync.sweep()
    world.arrive()
    assert {other for other, said in asked if isinstance(said, HeldUids)} == {"b", "c"}
    asked.clear()
    world.now += FIRST_RETRY
    sync.sweep()  # the pause is longer each time
    world.arrive()
    assert asked == []
    assert not sync.elsewhere.is_here_only("u")


def test_a_home_answers_for_a_uid_when_it_knows_what_all_hold() -> None:
    world = SlowWorld()
    uid = next(u for u in map(str, range(99)) if world.syncs["a"]._presence.home_of(u) == "a")
    world.come("b", uid)
    world.arrive()
    assert world.syncs["a"].knows(uid) is None  # not all have said what they hold
    world.meet()
    assert world.syncs["a"].knows(uid) is True
    world.go("b", uid)
    world.arrive()
    assert world.syncs["a"].knows(uid) is False
