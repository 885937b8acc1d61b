"""Nodes that wrongly believe that other nodes are dead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lineman.gateway.cluster.paced_jobs import Job
from lineman.gateway.cluster.presence_sync import MAX_ABSENCE, PresenceSync
from lineman.gateway.wire.node_messages import AskHeldUids, HeldUids, Hold, Release

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
        )

    def _do(self, node: str, job: Job) -> None:
        for said in job:
            if said is not None and not self.away & {node, said[0]}:
                self._hear(self.syncs[said[0]], said[1])

    def _hear(self, presence_sync: PresenceSync, message: Any) -> None:
        if isinstance(message, Hold):
            presence_sync.on_hold(message)
        elif isinstance(message, Release):
            presence_sync.on_release(message)
        elif isinstance(message, HeldUids):
            presence_sync.on_held_uids(message)
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
