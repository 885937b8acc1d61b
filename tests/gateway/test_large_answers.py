"""Answers that no broker carries in one message, and answers in which a node is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.brokers import nats_server, redis_server, running
from kit.gateway import System, add_two_nodes
from kit.waiting import until
from lineman import AsyncGatewayClient, NotReachedError
from lineman.brokers.choice import broker_maker
from lineman.brokers.embedded import Publish
from lineman.gateway.cluster.cluster import ClusterTimes
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.merging import BROKER
from lineman.gateway.wire.node_messages import NodeLeaves

GROUPS = 45_000
LENGTH = 230  # with all names an answer of 10 MiB


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_an_answer_of_ten_megabytes_crosses_a_broker(
    system: System, tmp_path: Path, kind: str
) -> None:
    with running(redis_server(tmp_path) if kind == "redis" else nats_server()) as server:
        url = f"{kind}://127.0.0.1:{server.port}"
        for _ in range(2):
            system.add_node("on_message", routing=RoutingOptions(broker_maker(url, "gateway")))
        one, two = system.nodes
        system.wait_until(lambda: len(one.routing.cluster.nodes) == 2, "they meet")  # type: ignore[union-attr]
        api = system.add_business()
        groups = dict.fromkeys((f"{number}".rjust(LENGTH, "x") for number in range(GROUPS)), ())
        two.orders.registry._groups = groups  # type: ignore[assignment]
        found = system.ask(api.get_all_group_id_list())
        assert len(found) == GROUPS
        assert set(found) == set(groups)
        two.orders.registry._groups = {}

        async def push() -> None:
            async with AsyncGatewayClient(url) as gateway:
                with gateway.answers(complete=True):
                    await until(lambda: gateway.is_connected)
                    two.orders.registry._groups = groups  # type: ignore[assignment]
                    assert len(await gateway.get_all_group_id_list()) == GROUPS

        system.run(push())
        two.orders.registry._groups = {}
        for node in system.nodes:
            system.run(node.routing.stop())


def test_while_a_node_is_away_an_answer_says_so_until_it_is_back(system: System, hub: str) -> None:
    add_two_nodes(system, hub, times=ClusterTimes(beat=0.05, silence=0.6))
    one, two = system.nodes
    api = system.add_business(on_message=lambda client, message: client.bind(message))
    for number, name in enumerate(("anna", "bert")):
        system.connect(node=number).send(name)
    while len(system.ask(api.get_all_uid_list())) < 2:
        pass
    cluster = one.routing.cluster
    assert cluster is not None

    async def count() -> tuple[int, set[str]]:
        with api.answers() as answers:
            return await api.get_all_client_count(), answers.missing

    async def only_complete() -> bool:
        with api.answers(complete=True):
            return await api.is_uid_online("bert")

    system.wait_until(lambda: cluster._loop.time() - cluster._reached_at > 0.3, "they have met")
    assert system.ask(count()) == (2, set())
    # It is silent, as behind a cut, and still holds its client.
    assert system.hub is not None
    passes_on = system.hub._pass_on
    mute = two.name.encode()

    def pass_others_on(message: Publish) -> None:
        if mute not in message.payload:
            passes_on(message)

    def lose() -> None:
        system.hub._pass_on = pass_others_on  # type: ignore[method-assign, union-attr]
        system.wait_until(lambda: len(cluster.nodes) == 1, "it is lost")
        assert system.ask(count()) == (1, {two.name})

    lose()
    with pytest.raises(NotReachedError, match=f"is partial, without {two.name}"):
        system.ask(only_complete())
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    system.wait_until(lambda: len(cluster.nodes) == 2, "it is back")
    assert system.ask(count()) == (2, set())
    # One that has ended is not missing, even if it was lost before.
    lose()
    system.call(cluster._on_node_leaves, NodeLeaves(two.name))
    assert system.ask(count()) == (1, set())
    # The same of one that was killed, when the process that takes its place says so.
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    system.wait_until(lambda: len(cluster.nodes) == 2, "it is back")
    lose()
    system.hub._pass_on = passes_on  # type: ignore[method-assign]
    system.call(two.routing.cluster._ticker.cancel)  # type: ignore[union-attr]
    two._dead.append("d" * 8)
    system.call(cluster._living.on_beat, "d" * 8, 0.0)
    system.call(cluster._lose, "d" * 8, "is a test", True)
    assert "d" * 8 in system.ask(count())[1]
    system.run(two.settle(1.0))
    system.wait_until(lambda: "d" * 8 not in cluster.unheard(), "it has died")
    # Without the broker nobody else can be asked.
    system.run(system.hub.stop())
    system.wait_until(lambda: not cluster.broker.is_connected, "cut off")
    number, missing = system.ask(count())
    # A beat that was under way may have brought the other one back before its clock stood.
    assert (number, missing - {two.name}) == (1, {BROKER})
