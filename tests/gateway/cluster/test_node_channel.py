"""What a node takes from the broker: each message once, from now, of this service."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable

import pytest

from lineman.brokers import heard_senders
from lineman.brokers.cluster_clock import ClusterClock
from lineman.brokers.signing import Signer
from lineman.gateway.cluster.node_channel import NodeChannel
from lineman.gateway.wire.messages import Send
from lineman.gateway.wire.names import ALL_NODES
from lineman.gateway.wire.node_messages import NodeBeat, NodeLeaves, NodeMessage
from lineman.links.framing import encode

SECRET = "a secret of the tests"
Published = list[tuple[str, bytes]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.cluster = ClusterClock(lambda: self.now, lambda: self.now)


def ends(
    secret: str | None = SECRET, names: str = "ab"
) -> tuple[dict[str, NodeChannel], Published, Clock]:
    """Channels of nodes with one broker, and what they publish."""
    published: Published = []
    clock = Clock()

    def publish(topic: str, data: bytes) -> None:
        published.append((topic, data))

    def channel(name: str) -> NodeChannel:
        return NodeChannel(name * 8, Signer(secret), publish, clock.cluster)

    return {name: channel(name) for name in names}, published, clock


def inside(test: Callable[[], None]) -> None:
    async def run() -> None:
        test()

    asyncio.run(run())


def hear(channel: NodeChannel, published: Published) -> list[NodeMessage]:
    opened = [channel.open(topic, data) for topic, data in published]
    return [message for message in opened if message is not None]


@pytest.mark.parametrize("secret", [SECRET, None])
def test_a_recorded_message_is_taken_once_and_its_repetition_counted(secret: str | None) -> None:
    def test() -> None:
        channels, published, _ = ends(secret)
        a, b = channels["a"], channels["b"]
        a.publish(ALL_NODES, NodeBeat("a" * 8))
        a.relay(["uid:7"], Send("hello", uids=("7",)))
        a.publish(ALL_NODES, NodeLeaves("a" * 8))
        assert len(hear(b, published)) == 3
        assert hear(b, published * 3) == []
        assert b.replayed == 9

    inside(test)


def test_an_order_on_several_topics_is_taken_once_and_is_no_repetition() -> None:
    def test() -> None:
        channels, published, _ = ends()
        b = channels["b"]
        channels["a"].relay(["uid:7", "group:g"], Send("x", uids=("7",), groups=("g",)))
        assert len(hear(b, published)) == 1
        assert b.replayed == 0

    inside(test)


def test_a_session_that_is_repeated_as_a_whole_is_refused_also_by_who_never_heard_it() -> None:
    def test() -> None:
        channels, published, clock = ends()
        a, b = channels["a"], channels["b"]
        a.publish(ALL_NODES, NodeBeat("a" * 8))
        a.relay(["uid:7"], Send("hello", uids=("7",)))
        recorded = list(published)
        assert len(hear(b, recorded)) == 2
        clock.now += 10
        its_clock = ClusterClock(lambda: clock.now, lambda: clock.now)
        newcomer = NodeChannel("c" * 8, Signer(SECRET), lambda *_: None, its_clock)
        assert hear(newcomer, recorded) == []
        b.heard.clear()  # as if it had forgotten
        clock.now += 40
        assert hear(b, recorded) == []
        assert (b.replayed, newcomer.replayed) == (2, 2)

    inside(test)


def test_a_process_whose_clock_is_behind_is_told_the_time_and_then_what_was_refused_is_known() -> (
    None
):
    """A clock that is right is behind as well, where one that was ahead has been heard."""

    def test() -> None:
        channels, published, clock = ends(names="a")
        a, told = channels["a"], list[str]()
        a.tell_time = told.append
        its_clock = ClusterClock(lambda: clock.now, lambda: clock.now - 3600)
        behind = NodeChannel(
            "b" * 8, Signer(SECRET), lambda *sent: published.append(sent), its_clock
        )
        behind.publish(ALL_NODES, NodeBeat("b" * 8))
        behind.relay(["uid:7"], Send("refused", uids=("7",)))
        behind.relay(["uid:8", "group:g"], Send("refused", uids=("8",), groups=("g",)))
        refused, published[:] = list(published), []
        assert hear(a, refused) == []
        assert told == ["b" * 8]  # once for all that comes at the same time
        assert a.take_refused() == []  # it may be a recording
        a.publish(ALL_NODES, NodeBeat("a" * 8))
        assert len(hear(behind, published)) == 1
        assert hear(behind, refused) == []
        assert (behind.late, behind.replayed) == (0, 0)  # its own ones are for the others
        behind.relay(["uid:7"], Send("taken", uids=("7",)))
        assert [message.number for message in hear(a, published[1:])] == [4]
        assert a.take_refused() == [("b" * 8, {2: "uid:7", 3: "uid:8"}, 0)]
        assert a.take_refused() == []

    inside(test)


def test_a_message_that_was_under_way_for_long_is_not_delivered() -> None:
    def test() -> None:
        channels, published, clock = ends()
        a, b = channels["a"], channels["b"]
        a.publish(ALL_NODES, NodeBeat("a" * 8))
        hear(b, published)
        a.relay(["uid:7"], Send("old", uids=("7",)))
        clock.now += 53
        assert hear(b, published[1:]) == []
        assert b.late == 1

    inside(test)


def test_a_batch_of_an_earlier_connection_is_not_delivered_behind_newer_ones() -> None:
    def test() -> None:
        channels, published, _ = ends()
        a, b = channels["a"], channels["b"]
        a.publish(ALL_NODES, NodeBeat("a" * 8))
        for number in range(4):
            a.run = number // 2
            a.relay(["uid:7"], Send(str(number), uids=("7",)))
        beat, *early, third, fourth = published
        taken = hear(b, [beat, third, fourth, *early])
        assert [message.number for message in taken] == [1, 4, 5]
        assert b.late == 2

    inside(test)


def test_a_farewell_that_another_node_tells_has_the_number_of_the_teller() -> None:
    def test() -> None:
        channels, published, _ = ends(names="abc")
        channels["a"].publish(ALL_NODES, NodeBeat("a" * 8))
        channels["c"].publish(ALL_NODES, NodeLeaves("a" * 8, was_lost=True, teller="c" * 8))
        channels["a"].publish(ALL_NODES, NodeBeat("a" * 8))
        b = channels["b"]
        assert len(hear(b, published)) == 3
        assert hear(b, published) == []

    inside(test)


def test_the_version_before_is_understood_for_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    def test() -> None:
        channels, _, _ = ends()
        b, signer = channels["b"], Signer(SECRET)
        old = [(ALL_NODES, signer.sign(ALL_NODES, encode(NodeBeat("a" * 8))))]
        assert len(hear(b, old * 2)) == 2
        b._old_until = 0.0
        assert hear(b, old) == []
        assert "no stamp" in caplog.text

    inside(test)


def test_many_senders_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_senders, "SENDERS", 5)

    def test() -> None:
        channels, published, _ = ends()
        signer, b = Signer(SECRET), channels["b"]
        for number in itertools.islice(itertools.count(), 20):
            beat = NodeBeat(f"{number:08x}", number=1, stamp=b.clock.now())
            published.append((ALL_NODES, signer.sign(ALL_NODES, encode(beat))))
        assert len(hear(b, published)) == 20
        assert len(b.heard) == 5

    inside(test)
