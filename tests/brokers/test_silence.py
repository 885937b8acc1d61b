"""Brokers that are cut off without a word: connections stay, and nothing comes any more."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from brokers.support import Heard, reaches
from kit.brokers import RedisClusterServer, Relay, Server, nats_server, redis_server, running
from kit.gateway import System
from kit.waiting import DEADLINE, until
from lineman.brokers import remote
from lineman.brokers.choice import broker_maker
from lineman.brokers.remote import Remote
from lineman.gateway.holder.routing import RoutingOptions

# Five seconds in earnest.
TIMEOUT = 1.0
KINDS = ("redis", "redis-cluster", "nats")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remote, "timeout", TIMEOUT)
    monkeypatch.setattr(remote, "LAST_RETRY", 0.2)


def server_of(kind: str, directory: Path) -> Server | RedisClusterServer:
    if kind == "redis-cluster":
        return RedisClusterServer(directory)
    return redis_server(directory) if kind == "redis" else nats_server()


def url_of(kind: str, server: Server | RedisClusterServer) -> str:
    return (
        server.url
        if isinstance(server, RedisClusterServer)
        else f"{kind}://127.0.0.1:{server.port}"
    )


@contextmanager
def stopped(server: Server | RedisClusterServer) -> Iterator[None]:
    """The server is there, and does nothing."""
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)


async def open_ends(url: str, *all_topics: tuple[str, ...]) -> list[Heard]:
    ends = []
    for topics in all_topics:
        heard = Heard(*topics)
        heard.broker = broker_maker(url, "test")(heard.subscriber)
        await heard.broker.start()
        ends.append(heard)
    await until(lambda: all(heard.broker.is_connected for heard in ends))
    return ends


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_falls_silent_is_given_up_and_found_again(kind: str, tmp_path: Path) -> None:
    topics = tuple(f"t{number}" for number in range(9))  # on all nodes of a cluster

    async def test(server: Server | RedisClusterServer) -> None:
        one, other = ends = await open_ends(url_of(kind, server), topics, ())
        try:
            for topic in topics:
                await reaches(other, one, topic)
            with stopped(server):
                began = time.monotonic()
                # One that says nothing itself notices as well as one that publishes.
                while one.broker.is_connected or other.broker.is_connected:
                    assert time.monotonic() < began + DEADLINE
                    for topic in topics:
                        other.broker.publish(topic, b"x" * 1000)
                    assert other.broker._waiting <= remote.MAX_WAITING
                    await asyncio.sleep(0.01)
                assert other.broker.dropped
                assert one.broker.trouble
                assert not other.broker._work
                dropped = other.broker.dropped
                other.broker.publish("t0", b"x")
                assert other.broker.dropped == dropped + 1
            await until(lambda: one.broker.is_connected and other.broker.is_connected)
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
        (heard,) = await open_ends(f"redis://127.0.0.1:{relay.port}", ("a",))
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


@pytest.mark.parametrize("limit", ["MAX_WAITING", "MAX_MESSAGES"])
def test_what_waits_for_a_broker_is_bounded_by_bytes_and_by_number(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, limit, 1000)

    async def test(server: Server) -> None:
        one, other = await open_ends(url_of("redis", server), ("a",), ())
        try:
            await reaches(other, one, "a")
            one.messages.clear()
            for _ in range(1500):  # in one turn of the event loop: nothing has left
                other.broker.publish("a", b"x")
            assert other.broker.dropped == 500
            assert not other.broker.has_room
            await until(lambda: len(one.messages) == 1000 and other.broker.has_room)
        finally:
            for heard in (one, other):
                await heard.broker.close()

    with running(redis_server(tmp_path)) as server:
        asyncio.run(test(server))


@pytest.mark.parametrize("kind", KINDS)
def test_more_changes_of_subscriptions_than_may_wait_begin_a_new_session(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MAX_CHANGES", 1000)
    monkeypatch.setattr(remote, "TOPICS_AT_ONCE", 200)
    topics = [f"uid:{number}" for number in range(4000)]

    async def test(server: Server | RedisClusterServer) -> None:
        one, other = await open_ends(url_of(kind, server), (), ())
        try:
            one.topics.update(topics)
            one.broker.subscribe(topics)
            assert one.broker._changes <= 1200
            await until(lambda: False in one.states)
            await until(lambda: one.broker.is_connected)
            for topic in topics[::999]:
                await reaches(other, one, topic)
        finally:
            for heard in (one, other):
                await heard.broker.close()

    with running(server_of(kind, tmp_path)) as server:
        asyncio.run(test(server))


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_open_before_very_many_topics_are_told_and_follows_what_changes_meanwhile(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "FIRST_TOPICS", 10)
    monkeypatch.setattr(remote, "TOPICS_AT_ONCE", 100)
    topics = [f"t{number}" for number in range(5000)]

    async def test(server: Server | RedisClusterServer) -> None:
        (other,) = await open_ends(url_of(kind, server), ())
        one = Heard()
        read: list[str] = []
        read_first: list[int] = []

        def each() -> Iterator[str]:
            for topic in topics:
                read.append(topic)
                yield topic

        def on_state(is_connected: bool) -> None:
            read_first.append(len(read))  # as soon as it is open
            broker.unsubscribe(["t20", "t21"])
            broker.subscribe(["t21", "new"])

        make = broker_maker(url_of(kind, server), "test")
        broker: Any = make(replace(one.subscriber, on_state=on_state, topics=each))
        one.broker = broker
        await broker.start()
        try:
            await until(lambda: read_first)
            assert read_first == [10]
            await until(lambda: broker._later is None)
            for topic in ("t0", "t10", "t21", "t22", "t4999", "new"):
                await reaches(other, one, topic)
            other.broker.publish("t20", b"not any more")
            await reaches(other, one, "t22")
            assert ("t20", b"not any more") not in one.messages
        finally:
            for heard in (one, other):
                await heard.broker.close()

    with running(server_of(kind, tmp_path)) as server:
        asyncio.run(test(server))


def facts(system: System, number: int) -> dict[str, float]:
    return system.call(system.nodes[number].facts)


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_two_machines_go_on_alone_and_come_together_when_the_broker_speaks_again(
    kind: str, system: System, tmp_path: Path
) -> None:
    news: list[tuple[str, bool]] = []
    with running(server_of(kind, tmp_path)) as server:
        routing = RoutingOptions(broker_maker(url_of(kind, server), "gateway"), tells_users=True)
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
            # Not noticed yet: who asks gets what is known, in time.
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
