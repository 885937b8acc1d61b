"""Which nodes keep a timer, and what they are told about it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lineman.brokers.cluster_clock import ClusterClock
from lineman.errors import UsageError
from lineman.gateway.cluster.cluster import Cluster
from lineman.gateway.cluster.node_versions import NodeVersions, new_beat
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.cluster.timer_homes import check_timer, for_homes, set_timer, timer_homes
from lineman.gateway.wire.node_messages import DropTimer, KeepTimer
from lineman.gateway.wire.timer_messages import CancelTimer, SetTimer

NODES = [letter * 8 for letter in "abcd"]


class FourNodes:
    """Nodes of which the first one is of version 4."""

    def __init__(self) -> None:
        self.nodes = list(NODES)
        self.channel = SimpleNamespace(clock=ClusterClock(lambda: 1.0, lambda: 7.0))
        self.versions = NodeVersions()
        for node in NODES[1:]:
            self.versions.takes(new_beat(node), 0)
        self.told: list[tuple[str, Any]] = []

    def tell(self, node: str, message: Any) -> None:
        """Notes what a node is told."""
        self.told.append((node, message))


def test_nodes_of_the_version_before_keep_none() -> None:
    cluster = cast(Cluster, FourNodes())
    for number in range(50):
        homes = timer_homes(cluster, str(number))
        assert homes == homes_of(str(number), NODES[1:])
    assert any(
        NODES[0] in timer_homes(cluster, str(n), NODES[0]) for n in range(50)
    )  # its own view


def test_a_program_tells_both_homes() -> None:
    four = FourNodes()
    cluster = cast(Cluster, four)
    assert set_timer(SetTimer("k", "f", b"\x90", 2.0, True), cluster, "e" * 8)
    (one, told), (other, again) = four.told
    assert {one, other} == set(timer_homes(cluster, "k"))
    assert told == again
    assert (told.key, told.seconds, told.interval, told.is_new) == ("k", 2.0, 2.0, True)
    assert told.set_at == 7000
    four.nodes.clear()
    assert not set_timer(CancelTimer("k"), cluster, "e" * 8)


def test_each_setting_has_an_id_of_its_own_and_a_cancel_means_any() -> None:
    order = SetTimer("k", "f", b"\x90", 2.0)
    first, second = for_homes(NODES[0], order, 1), for_homes(NODES[0], order, 2)
    assert isinstance(first, KeepTimer)
    assert isinstance(second, KeepTimer)
    assert first.id != second.id
    assert (first.set_at, second.set_at) == (1, 2)
    assert first.interval == 0
    assert for_homes(NODES[0], CancelTimer("k"), 1) == DropTimer(NODES[0], "k", "")


@pytest.mark.parametrize("seconds", [float("nan"), float("-inf"), 1e30])
def test_a_moment_that_never_comes_is_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="a timer is due in"):
        check_timer(KeepTimer(NODES[0], "k", "i", "f", b"\x90", seconds, 0, 0, False))


def test_one_that_is_overdue_is_not() -> None:
    check_timer(KeepTimer(NODES[0], "k", "i", "f", b"\x90", -5.0, 60.0, 0, False))
