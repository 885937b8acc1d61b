"""Every message between two nodes that does not arrive is counted on both sides, and told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kit.gateway import System, add_two_nodes, cut_off_and_back
from lineman.brokers.embedded import Embedded, Publish
from lineman.brokers.sequences import HeardSequence
from lineman.brokers.signing import Signer
from lineman.gateway.cluster import link_reports
from lineman.gateway.cluster.cluster import Cluster, ClusterTimes
from lineman.gateway.cluster.link_reports import LinkReports, ReportCalls
from lineman.gateway.cluster.node_channel import NodeChannel
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.messages import Send
from lineman.gateway.wire.node_messages import (
    BETWEEN_NODES,
    NodeMessage,
    ReceiverReport,
    Relay,
)
from lineman.links.framing import encode

ME, OTHER = "00000001", "00000002"
FAST = ClusterTimes(beat=0.05, silence=20.0)


def clusters_of(system: System) -> list[Cluster]:
    return [node.routing.cluster for node in system.nodes if node.routing.cluster is not None]


@contextmanager
def losing(system: System, is_lost: Callable[[Publish], bool]) -> Iterator[list[Publish]]:
    """The hub loses some messages."""
    hub = system.hub
    assert hub is not None
    passes_on, lost = hub._pass_on, []

    def pass_on(message: Publish) -> None:
        if is_lost(message):
            lost.append(message)
        else:
            passes_on(message)

    hub._pass_on = pass_on  # type: ignore[method-assign]
    yield lost
    hub._pass_on = passes_on  # type: ignore[method-assign]


def open_room(system: System, hub: str, **options: Any) -> Any:
    """Two nodes; a client on each is a user and a member of a group of its own and a common one."""
    add_two_nodes(system, hub, times=FAST, **options)

    def come(client: Any, message: str) -> None:
        client.bind(message)
        client.join(f"only {message}")
        client.join("room")
        client.send("in")

    system.add_business(on_message=come)
    for number, name in enumerate(("anna", "bert")):
        client = system.connect(node=number)
        client.send(name)
        assert client.receive() == "in"
    assert system.hub is not None
    subscribers = system.hub._subscribers
    wanted = ("uid:anna", "uid:bert", "group:only bert")
    system.wait_until(lambda: all(topic in subscribers for topic in wanted), "subscribed")
    clusters = clusters_of(system)
    for cluster in clusters:  # what is subscribed to has been so for long enough
        system.wait_until(
            lambda cluster=cluster: not any(cluster.reports._fresh), "nothing is new any more"
        )
    return system.nodes[0].routing.carry_out


def send(system: System, carry_out: Any, **to: Any) -> None:
    system.call(carry_out, Send("hello", **to))


@pytest.mark.parametrize(
    "to",
    [{"uids": ("bert",)}, {"groups": ("only bert",)}, {"is_to_all": True},
     {"uids": ("bert",), "groups": ("room", "only bert")}],
    ids=["user", "group", "all", "several"],
)  # fmt: skip
def test_a_single_message_that_is_lost_is_counted_by_both_and_named(
    system: System, hub: str, caplog: pytest.LogCaptureFixture, to: dict[str, Any]
) -> None:
    caplog.set_level(logging.WARNING)
    carry_out = open_room(system, hub)
    here, there = clusters_of(system)
    with losing(system, lambda message: b"hello" in message.payload) as lost:
        send(system, carry_out, **to)
        system.wait_until(lambda: there.reports.missed, "the receiver notices")
    system.wait_until(lambda: here.reports.unreached, "the sender learns it")
    assert (there.reports.missed, here.reports.unreached) == (1, 1)
    assert lost[0].topic in caplog.text
    send(system, carry_out, **to)
    assert system.clients[1].receive() == "hello"
    assert (there.reports.missed, here.reports.missed) == (1, 0)


def test_what_is_for_nobody_there_is_not_missed(system: System, hub: str) -> None:
    carry_out = open_room(system, hub)
    there = clusters_of(system)[1]
    with losing(system, lambda message: b"hello" in message.payload):
        send(system, carry_out, uids=("nobody", "anna"))
        send(system, carry_out, uids=("bert",))
        system.wait_until(lambda: there.reports.missed, "it notices")
    assert there.reports.missed == 1


def test_reports_that_are_lost_too_are_asked_for(system: System, hub: str) -> None:
    carry_out = open_room(system, hub)
    there = clusters_of(system)[1]
    origin = system.nodes[0].name.encode()
    with losing(system, lambda message: origin in message.payload) as lost:
        send(system, carry_out, uids=("bert",))
        system.wait_until(lambda: len(lost) > 4, "some beats and a report are lost")
    system.wait_until(lambda: there.reports.missed == 1, "it is noticed afterwards")


def test_many_at_once_are_all_counted_though_the_report_has_the_last_ones(
    system: System, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_reports, "ENTRIES", 10)
    monkeypatch.setattr(link_reports, "FEWEST", 10)
    monkeypatch.setattr(link_reports, "PART", 7)
    carry_out = open_room(system, hub)
    here, there = clusters_of(system)
    with losing(system, lambda message: b"hello" in message.payload):

        def send_many() -> None:
            for _ in range(100):
                carry_out(Send("hello", uids=("bert",), groups=("room",)))

        system.call(send_many)
        system.wait_until(lambda: there.reports.missed == 100, "all are counted")
    system.wait_until(lambda: here.reports.unreached == 100, "and the sender learns it")


def test_what_is_said_while_the_broker_is_away_is_counted_on_both_sides(
    system: System, hub: str
) -> None:
    carry_out = open_room(system, hub)
    here, there = clusters_of(system)

    def meanwhile() -> None:
        for _ in range(30):
            send(system, carry_out, uids=("bert",))

    cut_off_and_back(system, hub, meanwhile)
    system.wait_until(lambda: there.reports.missed == 30, "the receiver counts them")
    system.wait_until(lambda: here.reports.unreached == 30, "and so does the sender")


def test_what_a_killed_node_had_not_confirmed_is_counted_by_the_sender(
    system: System, hub: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    carry_out = open_room(system, hub)
    here, there = clusters_of(system)
    for _ in range(3):
        send(system, carry_out, uids=("bert",))
    sent = here.channel.sent.last
    system.wait_until(
        lambda: here.reports._confirmed.get(system.nodes[1].name, 0) >= sent, "confirmed"
    )
    assert there._ticker is not None
    system.call(there._ticker.cancel)
    system.call(setattr, there, "_is_node", False)  # it does not say `NodeLeaves` either
    system.run(there.broker.close())
    for _ in range(5):
        send(system, carry_out, uids=("bert",))
    system.call(here._lose, system.nodes[1].name, "is gone", True)
    assert here.reports.unconfirmed == 5
    assert system.nodes[0].facts()["gateway_lost_nodes"] == 1
    assert "5 messages" in caplog.text
    assert "uid:bert" in caplog.text


def test_a_node_that_stops_normally_leaves_nothing_unconfirmed(system: System, hub: str) -> None:
    carry_out = open_room(system, hub)
    here, there = clusters_of(system)
    send(system, carry_out, uids=("bert",))
    system.run(there.stop())
    system.wait_until(lambda: len(here.nodes) == 1, "it is gone")
    assert here.reports.unconfirmed == 0
    assert here.reports.lost_nodes == 0


def test_a_lost_message_to_the_home_of_a_history_begins_a_new_epoch(
    system: System, hub: str
) -> None:
    open_room(system, hub, history=HistoryOptions())
    there = system.nodes[1]
    group = next(f"g{n}" for n in range(99) if there.routing._home_of(f"g{n}") == there.name)
    histories = there.routing.orders.histories
    assert histories is not None
    epoch = system.call(histories.add, group, "x").epoch
    with losing(system, lambda message: b"important" in message.payload):
        system.call(system.businesses[0].publish_to_group, group, "important")
        system.wait_until(lambda: clusters_of(system)[1].reports.missed, "it is noticed")
    assert not histories.since(group, epoch, 1).is_complete


def test_the_log_of_what_was_sent_may_be_too_short_and_then_says_so(
    system: System, hub: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    carry_out = open_room(system, hub)
    here, there = clusters_of(system)
    system.call(setattr, here.channel.sent, "_limit", 10)

    def meanwhile() -> None:
        for _ in range(30):
            send(system, carry_out, uids=("bert",))

    cut_off_and_back(system, hub, meanwhile)
    system.wait_until(lambda: there.reports.missed >= 30, "the receiver counts them")
    assert "more that it does not remember" in caplog.text


def test_members_of_a_group_are_told_of_the_last_message_that_is_lost(
    system: System, hub: str
) -> None:
    told: list[tuple[str, str, str]] = []

    def make_routing() -> RoutingOptions:
        return RoutingOptions(
            lambda subscriber: Embedded(hub, subscriber), times=FAST, history=HistoryOptions()
        )

    for _ in range(2):
        system.add_node("on_message", "on_history_gap", routing=make_routing())
    here, there = system.nodes
    system.wait_until(lambda: len(clusters_of(system)[0].nodes) == 2, "they see each other")
    group = next(f"g{n}" for n in range(99) if here.routing._home_of(f"g{n}") == here.name)
    api = system.add_business(
        on_message=lambda client, message: client.join(message),
        on_history_gap=lambda *gap: told.append(gap),
    )
    client = system.connect(node=1)
    client.send(group)
    system.wait_until(lambda: there.orders.registry.is_held(f"group:{group}"), "it is a member")
    system.wait_until(
        lambda: not any(clusters_of(system)[1].reports._fresh), "and has been one for long enough"
    )
    system.call(api.publish_to_group, group, "first")
    assert "first" in client.receive()
    with losing(system, lambda message: b"the last" in message.payload):
        system.call(api.publish_to_group, group, "the last")
        system.wait_until(lambda: told, "the program is told")
    assert {name for name, _, _ in told} == {group}
    page = system.ask(api.get_history(group, told[0][2], 1))
    assert [kept.data for kept in page.missed] == ["the last"]


class Alone:
    """The reports of one node, whose messages the test reads."""

    def __init__(self) -> None:
        self.told: list[NodeMessage] = []
        signer = Signer(None)

        def publish(topic: str, data: bytes) -> None:
            opened = signer.verify(topic, data)
            assert opened is not None
            self.told.append(BETWEEN_NODES.decode(opened))

        self.channel = NodeChannel(ME, signer, publish)
        self.lost: list[set[str] | None] = []
        is_held = {"uid:held"}.__contains__
        calls = ReportCalls(lambda: (), is_held, self.lost.append)
        self.reports = LinkReports(ME, self.channel, calls)

    def hear(self, node: str, covered: int, lost: int = 0) -> None:
        self.reports.on_receiver_report(ReceiverReport(node, ((ME, covered, lost),)))

    def take_received(self) -> list[tuple[str, int, int]]:
        self.told.clear()
        self.reports._report_received()
        reports = [each for each in self.told if isinstance(each, ReceiverReport)]
        return [entry for report in reports for entry in report.received]


def alone(test: Callable[[Alone], None]) -> None:
    async def run() -> None:
        test(Alone())

    asyncio.run(run())


def test_a_report_that_comes_late_changes_nothing() -> None:
    def test(one: Alone) -> None:
        reports = one.reports
        reports.on_node(OTHER)
        one.hear(OTHER, 10, 2)
        one.hear(OTHER, 5, 1)  # sent before the other one
        one.hear(OTHER, 10, 2)
        assert reports.unreached == 2
        assert reports._confirmed == {OTHER: 10}
        reports.on_gone(OTHER, was_lost=True)
        one.hear(OTHER, 11, 3)
        assert reports.unreached == 3
        assert reports._confirmed == {}, "nothing is kept for a node that is gone"

    alone(test)


def test_a_report_of_what_was_received_is_bounded_and_each_sender_has_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_reports, "SENDERS", 10)
    senders = [f"{number:08}" for number in range(2, 37)]

    def test(one: Alone) -> None:
        for sender in senders:
            one.channel.heard[sender] = HeardSequence(1)
        told = []
        for _ in range(4):
            part = one.take_received()
            assert len(part) <= 10
            told += [sender for sender, _, _ in part]
            for sender in senders:  # all send all the time
                one.channel.heard[sender].covered += 1
        assert set(told) == set(senders)
        # Who misses something is told at once.
        late = told[-1]
        one.channel.heard[late].lost += 1
        assert late in [sender for sender, _, _ in one.take_received()]

    alone(test)


def test_what_was_refused_because_its_sender_had_a_wrong_clock_is_counted_when_that_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)

    def test(one: Alone) -> None:
        clock = one.channel.clock
        right, sender = clock.now(), Signer(None)

        def relay(number: int, topic: str, stamp: int) -> NodeMessage | None:
            order = Send("x", uids=(topic.removeprefix("uid:"),))
            data = encode(Relay(OTHER, number, order, stamp=stamp))
            return one.channel.open(topic, sender.sign(topic, data))

        for number, topic in enumerate(("uid:held", "uid:held", "uid:elsewhere"), 2):
            assert relay(number, topic, right - 3_600_000) is None
        one.reports.tick()
        assert one.reports.missed == 0
        assert relay(5, "uid:held", right) is not None
        one.reports.tick()
        one.reports.tick()
        assert one.reports.missed == 2
        assert one.lost == [{"uid:held"}]
        reports = [each for each in one.told if isinstance(each, ReceiverReport)]
        assert [report.received for report in reports] == [((OTHER, 4, 2),)]
        assert "2 messages of the gateway process 00000002 did not arrive: uid:held" in caplog.text

    alone(test)
