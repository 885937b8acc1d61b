"""Two nodes whose broker goes away and comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.gateway import System, add_two_nodes, cut_off_and_back, routing_by
from lineman.brokers.cluster_clock import ClusterClock
from lineman.brokers.embedded import Publish
from lineman.gateway.cluster import node_channel
from lineman.gateway.cluster.cluster import ClusterTimes
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.names import ALL_NODES
from lineman.gateway.wire.node_messages import NodeLeaves


def add_reporting_business(system: System, news: list[tuple[str, bool]]) -> None:
    """Adds a worker that binds each client to its message, and records the reports about users."""
    system.add_business(
        on_message=lambda client, message: client.bind(message),
        on_uid_online=lambda uid: news.append((uid, True)),
        on_uid_offline=lambda uid: news.append((uid, False)),
    )


def test_beats_that_no_broker_takes_are_no_dropped_messages(system: System, hub: str) -> None:
    add_two_nodes(system, hub, times=ClusterTimes(beat=0.01))
    cluster = system.nodes[0].routing.cluster
    assert cluster is not None

    def meanwhile() -> None:
        for _ in range(5):
            ticker = cluster._ticker
            system.wait_until(lambda: cluster._ticker is not ticker, "it would have said a beat")  # noqa: B023

    cut_off_and_back(system, hub, meanwhile)
    assert cluster.broker.dropped == 0


def test_who_came_and_went_while_the_broker_was_away_is_told_when_it_is_back(
    system: System, hub: str
) -> None:
    news: list[tuple[str, bool]] = []
    add_two_nodes(system, hub, tells_users=True)
    add_reporting_business(system, news)
    stays, leaves = system.connect(node=0), system.connect(node=1)
    # Of ten uids some have one node as their first home, and some the other.
    names = {f"u{number}" for number in range(10)}
    leaving = [system.connect(node=number % 2) for number in range(10)]
    for name, client in zip(sorted(names), leaving, strict=True):
        client.send(name)
    stays.send("stays")
    system.wait_until(lambda: len(news) == 11, "all are online")

    def meanwhile() -> None:
        for client in leaving:
            client.close()
        for number in range(10):
            system.connect(node=number % 2).send(f"new{number}")
        bound = [node.orders.registry for node in system.nodes]
        system.wait_until(
            lambda: sum(len(registry.uids()) for registry in bound) == 11, "they came and went"
        )

    cut_off_and_back(system, hub, meanwhile)
    system.wait_until(lambda: len(news) >= 31, "told")
    assert sorted(news[11:]) == sorted(
        [(name, False) for name in names] + [(f"new{number}", True) for number in range(10)]
    )
    leaves.close()


def test_without_a_broker_a_history_goes_on_here_and_begins_anew_afterwards(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    api = system.add_business(on_message=lambda client, message: client.join(message))
    client = system.connect(node=0)
    groups = [f"group{number}" for number in range(6)]  # with homes on both nodes
    for group in groups:
        client.send(group)
    while len(system.ask(api.get_all_group_id_list())) < 6:
        pass
    before: dict[str, str] = {}

    def publish_all(text: str) -> dict[str, str]:
        for group in groups:
            system.call(api.publish_to_group, group, text)
        found = [json.loads(client.receive()) for _ in groups]
        assert [one["data"] for one in found] == [text] * 6
        return {one["group"]: one["epoch"] for one in found}

    before = publish_all("before")
    cut_off_and_back(system, hub, lambda: before.update(publish_all("meanwhile")))
    after = publish_all("after")
    assert not set(before.values()) & set(after.values())


def test_a_history_that_moved_away_and_back_is_another_one(system: System, hub: str) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    (one, two) = system.nodes
    routing, other = one.routing, two.routing
    group = next(f"g{n}" for n in range(99) if routing._home_of(f"g{n}") == two.name)
    api = system.add_business()
    system.call(other.orders.histories.add, group, "x")  # type: ignore[union-attr]
    # As if it were alone for a while, and then not: the home moves to it and back.
    system.call(routing.orders.histories.add, group, "while the other was away")  # type: ignore[union-attr]
    assert one.orders.histories is not None
    assert group in one.orders.histories._groups
    system.call(routing._on_nodes, routing.cluster.nodes)  # type: ignore[union-attr]
    assert group not in one.orders.histories._groups
    assert [kept.data for kept in system.ask(api.get_history(group)).missed] == ["x"]


def test_who_was_on_a_node_that_died_goes_though_its_successor_came_before_it_was_missed(
    system: System, hub: str
) -> None:
    news: list[tuple[str, bool]] = []
    add_two_nodes(system, hub, tells_users=True)
    add_reporting_business(system, news)
    names = {f"u{number}" for number in range(12)}
    for name in names:
        system.connect(node=1).send(name)
    system.wait_until(lambda: len(news) == 12, "all are online")
    dead = system.nodes[1].routing.cluster
    assert dead is not None
    assert dead._ticker is not None
    system.call(dead._ticker.cancel)
    system.call(setattr, dead, "_is_node", False)  # it does not say `NodeLeaves` either
    system.run(dead.broker.close())
    first, third = system.nodes[0], system.add_node("on_message", routing=routing_by(hub))
    add_reporting_business(system, news)
    clusters = [node.routing.cluster for node in (first, third)]
    system.wait_until(
        lambda: all(
            one and third.name in one.nodes and first.name in one.nodes for one in clusters
        ),
        "they see each other",
    )
    system.wait_until(lambda: len(news) == 24, "all are offline")
    assert sorted(news[12:]) == [(name, False) for name in sorted(names)]


def follow_two_nodes(system: System, hub: str) -> list[tuple[str, bool]]:
    """Two nodes that soon miss each other; records the reports about users by their messages."""
    news: list[tuple[str, bool]] = []
    add_two_nodes(system, hub, tells_users=True, times=ClusterTimes(beat=0.05, silence=0.6))
    add_reporting_business(system, news)
    return news


def test_nobody_is_taken_for_dead_because_the_broker_says_nothing_and_does_not_tell(
    system: System, hub: str
) -> None:
    news = follow_two_nodes(system, hub)
    names = {f"u{number}" for number in range(8)}
    for number, name in enumerate(sorted(names)):
        system.connect(node=number % 2).send(name)
    system.wait_until(lambda: len(news) == 8, "all are online")
    clusters = [cluster for node in system.nodes if (cluster := node.routing.cluster)]
    assert system.hub is not None
    swallowed: list[object] = []
    passes_on = system.hub._pass_on
    system.hub._pass_on = swallowed.append  # type: ignore[assignment, method-assign]
    system.wait_until(lambda: len(swallowed) > 40, "twenty beats of each came to nothing")
    assert [len(cluster.nodes) for cluster in clusters] == [2, 2]
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    # It speaks again: a node that is silent from now on is gone.
    dead = clusters[1]
    assert dead._ticker is not None
    system.call(dead._ticker.cancel)
    system.wait_until(
        lambda: sorted(name for name, is_online in news if not is_online) == sorted(names)[1::2],
        "its users are missed, and nobody else",
    )


def test_users_of_a_node_that_was_not_heard_for_a_while_are_told_to_be_back(
    system: System, hub: str
) -> None:
    news = follow_two_nodes(system, hub)
    names = sorted(f"u{number}" for number in range(12))
    for name in names:
        system.connect(node=1).send(name)
    system.wait_until(lambda: len(news) == 12, "all are online")
    assert system.hub is not None
    passes_on = system.hub._pass_on
    mute = system.nodes[1].name.encode()

    def pass_others_on(message: Publish) -> None:
        if mute not in message.payload:
            passes_on(message)

    system.hub._pass_on = pass_others_on  # type: ignore[method-assign]
    system.wait_until(lambda: len(news) == 24, "all are offline")
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    system.wait_until(lambda: len(news) >= 36, "all are online again")
    for part, is_online in ((news[12:24], False), (news[24:], True)):
        assert sorted(part) == [(name, is_online) for name in names]


def epochs_of(system: System, api: Any, groups: list[str], text: str) -> list[str]:
    """Publishes to each group; the epochs of their histories then."""
    for group in groups:
        system.call(api.publish_to_group, group, text)
    epochs: list[str] = []
    for group in groups:
        page = system.ask(api.get_history(group))
        while not page.missed or page.missed[-1].data != text:
            page = system.ask(api.get_history(group))
        epochs.append(page.epoch)
    return epochs


def all_new(before: list[str], after: list[str]) -> bool:
    return not set(before) & set(after)


def test_a_history_is_answered_here_while_the_broker_is_away(system: System, hub: str) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    api = system.add_business()
    groups = [f"group{number}" for number in range(6)]  # with homes on both nodes
    epochs_of(system, api, groups, "before")
    cut_off_and_back(system, hub, lambda: epochs_of(system, api, groups, "meanwhile") and None)


def test_the_gateway_knows_whether_it_reaches_the_others(system: System, hub: str) -> None:
    add_two_nodes(system, hub)
    api = system.add_business()
    assert system.ask(api.is_broker_connected())
    found: list[bool] = []
    cut_off_and_back(system, hub, lambda: found.append(system.ask(api.is_broker_connected())))
    assert found == [False]


def test_a_node_that_stood_still_gives_its_histories_a_new_epoch(system: System, hub: str) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    node = system.nodes[0]
    cluster = node.routing.cluster
    assert cluster is not None
    groups = [f"g{n}" for n in range(99) if node.routing._home_of(f"g{n}") == node.name][:3]
    api = system.add_business()
    before = epochs_of(system, api, groups, "before")
    system.call(setattr, cluster._living, "_looked_at", -1000.0)  # as if it had been stopped
    for group, epoch in zip(groups, before, strict=True):
        assert not system.ask(api.get_history(group, epoch, 1)).is_complete
    after = epochs_of(system, api, groups, "after")
    assert all_new(before, after)


def test_a_node_whose_beats_did_not_come_back_for_a_while_gives_its_histories_a_new_epoch(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub, history=HistoryOptions(), times=ClusterTimes(beat=0.05))
    node = system.nodes[0]
    cluster = node.routing.cluster
    assert cluster is not None
    groups = [f"g{n}" for n in range(99) if node.routing._home_of(f"g{n}") == node.name][:3]
    api = system.add_business()
    before = epochs_of(system, api, groups, "before")
    # As if the part of the broker that carries beats had been away from this node alone.
    system.call(setattr, cluster._living, "_echoed", -1000.0)
    histories = node.orders.histories
    assert histories is not None
    system.wait_until(
        lambda: all_new(before, [histories.since(group, "", 0).epoch for group in groups]),
        "they have new epochs",
    )


def test_a_node_that_the_others_count_as_gone_learns_it(system: System, hub: str) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    node, other = system.nodes
    groups = [f"g{n}" for n in range(99) if node.routing._home_of(f"g{n}") == node.name][:3]
    api = system.add_business()
    before = epochs_of(system, api, groups, "before")
    cluster = other.routing.cluster
    assert cluster is not None
    system.call(cluster._publish, ALL_NODES, NodeLeaves(node.name, was_lost=True))
    histories = node.orders.histories
    assert histories is not None
    system.wait_until(
        lambda: all_new(before, [histories.since(group, "", 0).epoch for group in groups]),
        "they have new epochs",
    )


def test_where_a_node_is_gone_without_a_word_histories_begin_a_new_epoch_and_when_it_is_back(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub, history=HistoryOptions(), times=ClusterTimes(beat=0.05, silence=0.6))
    node, other = system.nodes
    group = next(f"g{n}" for n in range(99) if node.routing._home_of(f"g{n}") == node.name)
    histories = node.orders.histories
    assert histories is not None
    epochs = [system.call(histories.add, group, "x").epoch]
    assert system.hub is not None
    passes_on = system.hub._pass_on
    mute = other.name.encode()

    def pass_others_on(message: Publish) -> None:
        if mute not in message.payload:
            passes_on(message)

    def has_renewed() -> bool:
        return histories.since(group, "", 0).epoch not in epochs

    system.hub._pass_on = pass_others_on  # type: ignore[method-assign]
    system.wait_until(has_renewed, "the other one is gone")
    epochs.append(histories.since(group, "", 0).epoch)
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    system.wait_until(has_renewed, "it is back")
    facts = system.call(node.facts)
    assert facts["gateway_lost_nodes"] >= 1
    assert facts["gateway_history_gaps"] >= 2


def test_a_node_that_stops_normally_leaves_the_other_histories_as_they_are(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    node, other = system.nodes
    group = next(f"g{n}" for n in range(99) if node.routing._home_of(f"g{n}") == node.name)
    histories = node.orders.histories
    assert histories is not None
    epoch = system.call(histories.add, group, "x").epoch
    ending, cluster = other.routing.cluster, node.routing.cluster
    assert ending is not None
    assert cluster is not None
    system.run(ending.stop())
    system.wait_until(lambda: len(cluster.nodes) == 1, "it is gone")
    assert histories.since(group, epoch, 1).is_complete


def test_a_node_that_starts_knows_the_users_of_the_others_before_it_admits_clients(
    system: System, hub: str
) -> None:
    news: list[tuple[str, bool]] = []
    add_two_nodes(system, hub, tells_users=True)
    add_reporting_business(system, news)
    uids = [f"u{number}" for number in range(40)]
    for uid in uids:
        system.connect(node=0).send(uid)
    system.wait_until(lambda: len(news) == 40, "all are online")
    third = system.add_node(
        "on_message", routing=RoutingOptions(routing_by(hub).make_broker, tells_users=True)
    )
    system.run(third.routing.settle(20.0))
    assert not third.routing.is_presence_partial
    add_reporting_business(system, news)
    for uid in uids:
        system.connect(node=2).send(uid)
    registry = third.orders.registry
    system.wait_until(lambda: len(registry.uids()) == 40, "they are there as well")
    for client in [system.connect(node=2) for _ in range(3)]:
        client.send("new")
    system.wait_until(lambda: len(news) > 40, "what is new is told")
    assert news[40:] == [("new", True)]


def test_a_node_that_starts_with_a_clock_that_is_behind_is_known_before_it_admits_clients(
    system: System, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = ClusterTimes(beat=600.0, silence=2000.0)  # nobody is heard by chance
    add_two_nodes(system, hub, tells_users=True, times=rare)
    monkeypatch.setattr(
        node_channel, "ClusterClock", lambda steady: ClusterClock(steady, lambda: 1_000_000.0)
    )
    make_broker = routing_by(hub).make_broker
    third = system.add_node(
        "on_message", routing=RoutingOptions(make_broker, tells_users=True, times=rare)
    )
    system.run(third.routing.settle(20.0))
    for node in system.nodes:
        assert node.routing.cluster is not None
        assert len(node.routing.cluster.nodes) == 3
        assert not node.routing.is_presence_partial


def test_a_node_whose_broker_is_away_admits_clients_after_a_while_and_says_so(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub, tells_users=True)
    routing = system.nodes[0].routing

    def settle() -> None:
        system.run(routing.settle(0.1))
        assert routing.is_presence_partial

    cut_off_and_back(system, hub, settle)
    system.run(routing.settle(20.0))
    assert not routing.is_presence_partial


def test_users_of_a_node_that_ends_are_reported_offline_by_those_that_stay(
    system: System, hub: str
) -> None:
    news: list[tuple[str, bool]] = []
    add_two_nodes(system, hub, tells_users=True)
    add_reporting_business(system, news)
    stays, ends = system.nodes
    uids = [f"u{number}" for number in range(12)]  # their homes are on both nodes
    clients = [system.connect(node=1) for _ in uids]
    for uid, client in zip(uids, clients, strict=True):
        client.send(uid)
    system.wait_until(lambda: len(news) == 12, "all are online")
    system.call(setattr, ends.routing, "_is_ending", lambda: True)
    for client in clients:
        client.close()
    system.wait_until(lambda: not ends.orders.registry.uids(), "their connections are over")
    reported: list[str] = []
    on_user = stays._news.on_user
    assert stays.routing._users is not None

    def note(uid: str, is_online: bool) -> None:
        reported.append(uid)
        on_user(uid, is_online)

    system.call(setattr, stays.routing._users.sync, "_on_change", note)
    system.run(ends.routing.stop())
    system.wait_until(lambda: len(news) >= 24, "all are offline")
    assert sorted(news[12:]) == [(uid, False) for uid in sorted(uids)]
    assert sorted(reported) == sorted(uids), "the node that ends has reported nobody itself"


def test_a_step_of_the_clock_that_fails_is_not_the_last(
    system: System, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_two_nodes(system, hub, times=ClusterTimes(beat=0.02))
    cluster = system.nodes[0].routing.cluster
    assert cluster is not None
    steps = []

    def sweep() -> None:
        steps.append(True)
        if len(steps) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(cluster.channel, "sweep", sweep)
    system.wait_until(lambda: len(steps) > 1, "it goes on")
    assert "ZeroDivisionError" in str(system.faults.pop())
