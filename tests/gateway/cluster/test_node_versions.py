"""Nodes of several versions: which are understood, and what is told of the others."""

from __future__ import annotations

from typing import get_args

from gateway.wire import version4
from lineman.gateway.cluster.node_versions import LATELY, NodeVersions, new_beat
from lineman.gateway.wire import versions
from lineman.gateway.wire.names import ALL_NODES, node_topic
from lineman.gateway.wire.node_messages import (
    SINCE_VERSION_5,
    AskHeldUids,
    AskTimers,
    NodeBeat,
    NodeLeaves,
    NodeMessage,
)

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


def test_a_message_that_version_4_does_not_know_is_sent_to_none_of_that_version() -> None:
    known = NodeVersions()
    new, old = AskTimers(NODE), AskHeldUids(NODE)
    assert known.may_hear(ALL_NODES, new)
    known.takes(new_beat("b" * 8), 0)
    assert known.may_hear(ALL_NODES, new)
    known.takes(NodeBeat("c" * 8), 0)
    for topic, may_hear in ((ALL_NODES, False), ("b" * 8, True), ("c" * 8, False), ("d" * 8, True)):
        where = topic if topic == ALL_NODES else node_topic(topic)
        assert known.may_hear(where, new) is may_hear, topic
        assert known.may_hear(where, old)
    known.forget("c" * 8)
    assert known.may_hear(ALL_NODES, new)


def test_each_kind_is_of_version_4_or_known_to_be_newer() -> None:
    before = set(version4.BETWEEN_NODES)
    since = {kind.__name__ for kind in SINCE_VERSION_5}
    assert {kind.__name__ for kind in get_args(NodeMessage)} == before | since
    assert not before & since
