"""Histories in the memory of their homes, and what the program is told of their gaps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kit.gateway import System, add_two_nodes, add_two_with_histories
from lineman import Client
from lineman.brokers.embedded import Embedded
from lineman.gateway.cluster.cluster import ClusterTimes
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.home_histories import HomeCalls, HomeHistories
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.messages import Deliver, PublishToGroup
from lineman.gateway.wire.names import group_topic
from lineman.gateway.wire.node_messages import GapKind, GapSeen

Gaps = list[tuple[str, str, str]]
SOON = ClusterTimes(beat=0.05, silence=0.6)


def alone(told: Gaps, home: Callable[[str], str] = lambda group: "me") -> HomeHistories:
    """The histories of a node; what it delivers goes to nobody."""
    return HomeHistories(
        HistoryOptions(),
        HomeCalls(
            "me",
            home,
            lambda node, seen: None,
            lambda deliver: None,
            lambda *gap: told.append(gap),
            lambda: 100.0,
        ),
    )


def test_what_another_node_delivers_in_its_place_ends_the_epoch_of_a_home() -> None:
    told: Gaps = []
    histories = alone(told)
    histories.publish("a", "x")
    histories.publish("b", "x")
    before = histories.kept.epoch_of("a")
    histories.on_foreign("a")
    histories.on_foreign("never heard of")
    assert told == [("a", before, histories.kept.epoch_of("a"))]
    assert before != told[0][2]


def test_a_late_message_ends_an_epoch_in_which_somebody_has_a_place_and_no_other() -> None:
    told: Gaps = []
    histories = alone(told)
    histories.publish("a", "x")
    epoch = histories.kept.begin("a")
    for _ in range(100):  # a whole queue of a node that stood still
        histories.gaps.on_report(GapSeen("00000001", "a", epoch, GapKind.REPLACED))
        histories.on_foreign("a")
    assert told == [("a", epoch, histories.kept.begin("a"))]
    histories.kept.since("a", "", 0)  # a page is a place
    histories.on_foreign("a")
    assert len(told) == 2
    histories.publish("a", "y")
    histories.gaps.on_report(GapSeen("00000001", "a", epoch, GapKind.REPLACED))
    assert len(told) == 3
    histories.gaps.on_report(GapSeen("00000003", "never heard of", "e", GapKind.REPLACED))
    assert histories.kept.epoch_of("never heard of") is None


def test_a_reported_group_without_a_history_gets_the_epoch_that_the_program_is_told() -> None:
    told: Gaps = []
    histories = alone(told)
    histories.gaps.on_report(GapSeen("00000001", "a", "of the dead", GapKind.MOVED))
    assert told == [("a", "of the dead", histories.kept.epoch_of("a"))]
    delivered = histories.kept.add("a", "x")
    assert (delivered.epoch, delivered.offset) == (told[0][2], 1)


def test_messages_that_did_not_leave_are_told_as_a_gap_of_the_same_epoch() -> None:
    told: Gaps = []
    histories = alone(told)
    histories.publish("a", "x")
    epoch = histories.kept.begin("a")
    histories.on_missed(False)
    assert told == [("a", epoch, epoch)]
    histories.on_missed(True)
    assert told[1:] == [("a", epoch, histories.kept.begin("a"))]


# With nodes.


def join(client: Client, message: str) -> None:
    client.join(message)
    client.send("in")


def add_watched(system: System, hub: str, told: Gaps, **options: Any) -> None:
    """Two nodes, whose program notes the gaps."""
    routing = RoutingOptions(
        lambda subscriber: Embedded(hub, subscriber), history=HistoryOptions(), **options
    )
    add_two_with_histories(system, routing)
    system.add_business(on_message=join, on_history_gap=lambda *gap: told.append(gap))


def publication(group: str, text: str) -> PublishToGroup:
    return PublishToGroup(text, group)


def group_at(system: System, home: int) -> str:
    """A group whose home is a node."""
    routing, name = system.nodes[0].routing, system.nodes[home].name
    return next(f"g{n}" for n in range(99) if routing._home_of(f"g{n}") == name)


def test_members_are_told_of_a_home_that_is_gone_and_get_its_messages_no_more(
    system: System, hub: str
) -> None:
    told: Gaps = []
    add_watched(system, hub, told, times=SOON)
    node, home = system.nodes
    group = group_at(system, 1)
    member = system.connect(node=0)
    member.send(group)
    assert member.receive() == "in"
    api = system.businesses[0]
    cluster = home.routing.cluster
    assert cluster is not None
    system.wait_until(lambda: node.orders.registry.members_of_group(group), "it is in")
    system.call(home.routing.carry_out, publication(group, "before"))
    before = json.loads(member.receive())
    # As if it were killed: it says nothing any more.
    assert system.hub is not None
    passes_on, mute = system.hub._pass_on, home.name.encode()

    def pass_others_on(message: Any) -> None:
        if mute not in message.payload:
            passes_on(message)

    system.hub._pass_on = pass_others_on  # type: ignore[method-assign]
    system.wait_until(lambda: told, "they are told")
    assert told[0][:2] == (group, before["epoch"])
    page = system.ask(api.get_history(group))
    assert page.epoch == told[0][2] != before["epoch"]
    # What it had still to say comes late.
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    system.call(api.publish_to_group, group, "after")
    after = json.loads(member.receive())
    assert after["data"] == "after"
    late = Deliver("late", group, before["epoch"], before["offset"] + 1)
    system.call(cluster.relay_to, [group_topic(group)], late)
    system.call(api.publish_to_group, group, "last")
    last = json.loads(member.receive())
    assert last["data"] == "last", "and not the late one"
    assert before["epoch"] not in (after["epoch"], last["epoch"])


def test_members_are_told_of_a_message_that_was_lost_on_its_way_and_the_history_has_it(
    system: System, hub: str
) -> None:
    told: Gaps = []
    add_watched(system, hub, told)
    group = group_at(system, 1)
    member = system.connect(node=0)
    member.send(group)
    assert member.receive() == "in"
    api, home = system.businesses[0], system.nodes[1]
    system.call(home.routing.carry_out, publication(group, "one"))
    first = json.loads(member.receive())
    assert home.orders.histories is not None
    system.call(home.orders.histories.add, group, "lost on its way")
    system.call(home.routing.carry_out, publication(group, "three"))
    assert json.loads(member.receive())["data"] == "three"
    system.wait_until(lambda: told, "they are told")
    assert told == [(group, first["epoch"], first["epoch"])]
    page = system.ask(api.get_history(group, first["epoch"], first["offset"]))
    assert page.is_complete
    assert [kept.data for kept in page.missed] == ["lost on its way", "three"]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_member_that_only_asked_for_the_page_is_told_as_well(
    system: System, hub: str, is_told: bool
) -> None:
    told: Gaps = []
    add_watched(system, hub, told)
    group = group_at(system, 1)
    api, home = system.businesses[0], system.nodes[1]
    system.call(home.routing.carry_out, publication(group, "before it came"))
    member = system.connect(node=0)
    member.send(group)
    assert member.receive() == "in"
    system.wait_until(
        lambda: system.nodes[0].orders.registry.members_of_group(group), "it is in the group"
    )
    epoch = system.ask(api.get_history(group)).epoch if is_told else ""
    cluster = home.routing.cluster
    assert cluster is not None
    system.run(cluster.stop())
    system.wait_until(lambda: len(system.nodes[0].routing.cluster.nodes) == 1, "it is gone")  # type: ignore[union-attr]
    if is_told:
        system.wait_until(lambda: told, "it is told")
        assert told[0][:2] == (group, epoch)
    else:
        assert told == []


def test_two_nodes_without_the_callback_send_each_other_no_reports(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    assert all(node.routing._keeper.gaps._on_gap is None for node in system.nodes)  # type: ignore[union-attr]
