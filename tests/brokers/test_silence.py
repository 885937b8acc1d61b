"""Brokers that are cut off silently: connections stay open, and nothing arrives any more."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from brokers.support import KINDS, Heard, open_ends, reaches, server_of, url_of
from kit.brokers import RedisClusterServer, Relay, Server, redis_server, running
from kit.gateway import System
from kit.waiting import DEADLINE, until
from lineman.brokers.choice import broker_maker
from lineman.brokers.remote import RemoteLimits
from lineman.gateway.holder.routing_options import RoutingOptions

# A second in place of five.
SOON = RemoteLimits(timeout=1.0, last_retry=0.2)


@contextmanager
def stopped(server: Server | RedisClusterServer) -> Iterator[None]:
    """A stopped server: its connections stay open, and it does nothing."""
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)


def is_whole(heard: Heard) -> bool:
    """Whether a broker is reached; a cluster may be reached in part."""
    return heard.broker.is_connected and not heard.broker.partial


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_falls_silent_is_given_up_and_found_again(kind: str, tmp_path: Path) -> None:
    topics = tuple(f"t{number}" for number in range(9))  # on all nodes of a cluster

    async def test(server: Server | RedisClusterServer) -> None:
        one, other = ends = await open_ends(url_of(kind, server), topics, (), limits=SOON)
        try:
            for topic in topics:
                await reaches(other, one, topic)
            with stopped(server):
                began = time.monotonic()
                # An end that publishes nothing notices it as well as one that publishes.
                while is_whole(one) or is_whole(other):
                    assert time.monotonic() < began + DEADLINE
                    for topic in topics:
                        other.broker.publish(topic, b"x" * 1000)
                    assert other.broker._waiting <= SOON.max_waiting
                    await asyncio.sleep(0.01)
                assert other.broker.dropped
                assert one.broker.trouble or one.broker.partial
                dropped = other.broker.dropped
                if kind == "redis-cluster":  # one node of three is silent
                    for topic in topics:
                        other.broker.publish(topic, b"x")
                    await until(lambda: dropped < other.broker.dropped < dropped + len(topics))
                else:
                    assert not other.broker._work
                    other.broker.publish("t0", b"x")
                    assert other.broker.dropped == dropped + 1
            await until(lambda: is_whole(one) and is_whole(other))
            for topic in topics:
                await reaches(other, one, topic)
        finally:
            for heard in ends:
                await heard.broker.close()

    with running(server_of(kind, tmp_path)) as server:
        asyncio.run(test(server))


@pytest.mark.parametrize("number", [0, 1])
def test_each_connection_to_redis_is_watched_by_itself(number: int, tmp_path: Path) -> None:
    async def test(relay: Relay) -> None:
        (heard,) = await open_ends(f"redis://127.0.0.1:{relay.port}", ("a",), limits=SOON)
        try:
            await reaches(heard, heard, "a")
            assert relay.connections == 2
            relay.cut(number)
            while heard.broker.is_connected:
                heard.broker.publish("a", b"x")
                await asyncio.sleep(0.01)
            await until(lambda: heard.broker.is_connected)
            heard.messages.clear()
            await reaches(heard, heard, "a")
        finally:
            await heard.broker.close()

    with running(redis_server(tmp_path)) as server:
        relay = Relay(server.port)
        try:
            asyncio.run(test(relay))
        finally:
            relay.close()


def facts(system: System, number: int) -> dict[str, float]:
    return system.call(system.nodes[number].facts)


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_two_machines_go_on_alone_and_come_together_when_the_broker_speaks_again(
    kind: str, system: System, tmp_path: Path
) -> None:
    news: list[tuple[str, bool]] = []
    with running(server_of(kind, tmp_path)) as server:
        routing = RoutingOptions(
            broker_maker(url_of(kind, server), "gateway", SOON), tells_users=True
        )
        nodes: list[Any] = [system.add_node("on_message", routing=routing) for _ in range(2)]
        for node in nodes:
            system.wait_until(
                lambda node=node: len(node.routing.cluster.nodes) == 2, "both are there"
            )

        def on_message(client: Any, message: str) -> None:
            client.bind(message)
            client.join("room")
            client.send("in")

        api = system.add_business(
            on_message=on_message,
            on_uid_online=lambda uid: news.append((uid, True)),
            on_uid_offline=lambda uid: news.append((uid, False)),
        )
        anna, bert = system.connect(node=0), system.connect(node=1)
        for name, client in (("anna", anna), ("bert", bert)):
            client.send(name)
            assert client.receive() == "in"
        system.wait_until(lambda: len(news) == 2, "both are online")
        assert system.ask(api.get_client_id_count_by_group("room")) == 2
        with stopped(server):
            # Before it is noticed, a question gets an answer with what is known, in time.
            began = time.monotonic()
            assert system.ask(api.get_client_id_count_by_group("room")) >= 1
            assert time.monotonic() < began + 4
            system.wait_until(
                lambda: not any(node.facts()["gateway_broker_connected"] for node in nodes),
                "status shows it",
            )
            carl = system.connect(node=0)
            carl.send("carl")
            assert carl.receive() == "in"
            dropped = facts(system, 0)["gateway_broker_dropped_messages"]
            system.call(api.send_to_group, "room", "here")
            assert [anna.receive(), carl.receive()] == ["here", "here"]
            assert facts(system, 0)["gateway_broker_dropped_messages"] > dropped
            assert sorted(system.ask(api.get_uid_list_by_group("room"))) == ["anna", "carl"]
            assert ("bert", False) not in news, "he is no more gone than the broker is there"
        system.wait_until(
            lambda: all(node.facts()["gateway_broker_connected"] for node in nodes), "back"
        )
        system.wait_until(lambda: ("carl", True) in news, "who came meanwhile is told")
        while system.ask(api.get_client_id_count_by_group("room")) < 3:
            pass
        system.call(api.send_to_uid, "bert", "again")
        assert bert.receive() == "again"
        assert sorted(news) == [("anna", True), ("bert", True), ("carl", True)]
        for node in nodes:
            system.run(node.routing.stop())
