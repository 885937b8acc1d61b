from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from lineman.gateway.cluster.presence import Presence, homes_of, new_homes_of

NODES = ["n1", "n2", "n3", "n4", "n5"]
NAMES = [f"user {number}" for number in range(1000)]


def test_names_spread_evenly_over_the_nodes() -> None:
    firsts = Counter(homes_of(name, NODES)[0] for name in NAMES)
    assert set(firsts) == set(NODES)
    assert min(firsts.values()) > 120


def test_only_the_names_of_a_node_move_when_it_goes() -> None:
    rest = NODES[:-1]
    for name in NAMES:
        before, after = homes_of(name, NODES), homes_of(name, rest)
        if "n5" not in before:
            assert after == before
        elif before[0] == "n5":
            assert after[0] == before[1]


def test_alone_a_node_is_home_of_everything() -> None:
    presence = Presence("n1")
    assert presence.hold("a", "n1")
    assert not presence.hold("a", "n1")
    assert presence.release("a", "n1")
    assert not presence.release("a", "n1")


class World:
    """Several nodes that talk to each other; every message is delivered at once."""

    def __init__(self) -> None:
        self.alive: dict[str, Presence] = {}
        self.held: dict[str, set[str]] = {}  # by node
        self.online: list[str] = []
        self.offline: list[str] = []

    def _set_nodes(self) -> None:
        nodes = sorted(self.alive)
        before = {node: presence.nodes for node, presence in self.alive.items()}
        for presence in self.alive.values():
            presence.nodes = tuple(nodes)
        for node, presence in self.alive.items():
            for name in presence.names():
                for home, holder in presence.handover(name, before[node]):
                    if holder in self.alive:
                        self.alive[home].hold(name, holder)
                if presence.review(name, set(before[node]) - set(nodes)) is not None:
                    self.offline.append(name)
        for node in self.alive:
            for name in self.held[node]:
                for home in new_homes_of(name, before[node], nodes):
                    self.alive[home].hold(name, node)

    def join(self, node: str) -> None:
        self.alive[node] = Presence(node)
        self.held[node] = set()
        self._set_nodes()

    def kill(self, node: str) -> None:
        del self.alive[node], self.held[node]
        self._set_nodes()

    def hold(self, node: str, name: str) -> None:
        if name in self.held[node]:
            return
        self.held[node].add(name)
        for home in homes_of(name, sorted(self.alive)):
            if self.alive[home].hold(name, node):
                self.online.append(name)

    def release(self, node: str, name: str) -> None:
        if name not in self.held[node]:
            return
        self.held[node].discard(name)
        for home in homes_of(name, sorted(self.alive)):
            if self.alive[home].release(name, node):
                self.offline.append(name)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "release", "join", "kill"]),
        st.sampled_from(["n1", "n2", "n3", "n4"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS)
def test_each_name_comes_and_goes_once_whatever_happens_to_the_nodes(
    steps: list[tuple[str, str, str]],
) -> None:
    world = World()
    world.join("n0")
    told: dict[str, bool] = {}
    for what, node, name in steps:
        if what == "join" and node not in world.alive:
            world.join(node)
        elif what == "kill" and node in world.alive:
            world.kill(node)
        elif what in ("hold", "release") and node in world.alive:
            getattr(world, what)(node, name)
        for each in world.online:
            assert not told.get(each), f"{each} came twice"
            told[each] = True
        for each in world.offline:
            assert told.get(each), f"{each} went twice"
            told[each] = False
        world.online.clear()
        world.offline.clear()
        held = set().union(*world.held.values())
        assert {each for each, is_online in told.items() if is_online} == held
