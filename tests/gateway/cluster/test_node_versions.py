"""Nodes of several versions: which are understood, and what is told of the others."""

from __future__ import annotations

from lineman.gateway.cluster.node_versions import LATELY, NodeVersions, new_beat
from lineman.gateway.wire import versions
from lineman.gateway.wire.node_messages import AskHeldUids, NodeBeat, NodeLeaves

NODE = "a" * 8


def test_a_node_is_spoken_to_in_the_newest_version_that_both_have() -> None:
    known = NodeVersions()
    assert known.of(NODE) == versions.FIRST
    assert known.takes(new_beat(NODE), 0)
    assert known.of(NODE) == versions.own.newest
    assert known.takes(NodeBeat("b" * 8), 0)  # of version 4, which does not say it
    assert known.of("b" * 8) == versions.FIRST
    assert not known.refusal(0)
    known.forget(NODE)
    assert known.of(NODE) == versions.FIRST


def test_nothing_is_taken_from_a_node_that_is_not_understood() -> None:
    foreign: list[str] = []
    known = NodeVersions(foreign.append)
    assert known.takes(AskHeldUids(NODE), 0)
    for _ in range(3):
        assert not known.takes(NodeBeat(NODE, 8, 9), 0)
    assert foreign == [NODE]  # it is answered once, so that two never answer each other for ever
    assert not known.takes(AskHeldUids(NODE), 0)
    assert "it speaks versions 8 to 9" in known.refusal(0)
    assert NODE in known.refusal(0)
    assert known.takes(AskHeldUids("b" * 8), 0)
    assert known.takes(new_beat(NODE), 1)  # it was replaced
    assert known.takes(AskHeldUids(NODE), 1)
    assert not known.refusal(1)


def test_one_that_has_gone_is_told_of_no_more() -> None:
    known = NodeVersions()
    for node in (NODE, "b" * 8):
        known.takes(NodeBeat(node, 8, 9), 0)
    assert not known.takes(NodeLeaves(NODE), 1)
    assert "b" * 8 in known.refusal(1)
    assert not known.refusal(LATELY + 1)
    assert not known.refusal(0)
