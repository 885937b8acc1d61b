"""A real Redis Cluster whose slots move and whose nodes die; and how its map is read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from brokers.support import Heard, reaches
from kit.brokers import RedisClusterServer, running
from kit.gateway import System
from kit.waiting import until
from lineman.brokers.choice import broker_maker
from lineman.brokers.hash_slots import SLOTS, SlotMap, by_slot
from lineman.brokers.redis import Redis
from lineman.brokers.redis_cluster import RedisCluster
from lineman.brokers.remote import RemoteLimits
from lineman.errors import ConfigError
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.push.blocking import GatewayClient


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisClusterServer]:
    with running(RedisClusterServer(tmp_path)) as server:
        yield server


def with_ends(
    server: RedisClusterServer, test: Callable[[Heard, Heard], Awaitable[None]], *topics: str
) -> None:
    """Runs a test with one end that has subscribed to topics, and another that has not."""

    async def run() -> None:
        ends = [Heard(*topics), Heard()]
        for heard in ends:
            heard.broker = RedisCluster(server.url, "test", heard.subscriber)
            await heard.broker.start()
        try:
            await until(lambda: all(heard.broker.is_connected for heard in ends))
            await test(*ends)
        finally:
            for heard in ends:
                await heard.broker.close()

    asyncio.run(run())


def slot_of(server: RedisClusterServer, topic: str) -> int:
    return int(server.tell(0, "CLUSTER", "KEYSLOT", f"lineman:test:{topic}"))


def owner_of(server: RedisClusterServer, slot: int) -> int:
    """The primary that serves a slot at the beginning."""
    return 0 if slot <= 5460 else 1 if slot <= 10922 else 2


def test_a_slot_that_moves_takes_its_subscriptions_along(server: RedisClusterServer) -> None:
    topics = [f"t{number}" for number in range(20)]
    slots = {topic: slot_of(server, topic) for topic in topics}

    async def test(one: Heard, other: Heard) -> None:
        await reaches(other, one, "t7")
        slot = slots["t7"]
        old = owner_of(server, slot)
        new = (old + 1) % 3
        for node in (new, old, 3 - old - new):
            server.tell(node, "CLUSTER", "SETSLOT", str(slot), "NODE", server.ids[new])
        await until(lambda: one.states == [True, True])  # something may have been missed
        for number in range(100):
            other.broker.publish("t7", b"%d" % number)  # who sends has not heard of it yet
        for topic in topics:
            await reaches(other, one, topic)
        said = [payload for topic, payload in one.messages if topic == "t7" and payload.isdigit()]
        assert said == [b"%d" % number for number in range(100)]
        assert other.states == [True]
        assert other.broker.dropped == 0
        # Subscriptions that begin or end from now on do so at the new node.
        one.broker.unsubscribe(["t7"])
        await reaches(other, one, "t8")
        other.broker.publish("t7", b"too late")
        await reaches(other, one, "t9")
        one.broker.subscribe(["t7"])
        await reaches(other, one, "t7")
        assert ("t7", b"too late") not in one.messages

    with_ends(server, test, *topics)


def test_while_a_primary_is_dead_the_channels_of_the_others_go_on(
    server: RedisClusterServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    topics = [f"t{number}" for number in range(40)]
    owners = {topic: owner_of(server, slot_of(server, topic)) for topic in topics}
    dead = next(topic for topic in topics if owners[topic] == 0)
    others = [topic for topic in topics if owners[topic] != 0]

    async def test(one: Heard, other: Heard) -> None:
        await reaches(other, one, dead)
        server.servers[0].stop()
        await until(lambda: one.broker.partial)
        assert f"127.0.0.1:{server.ports[0]}" in one.broker.partial
        other.broker.publish(dead, b"lost")
        await until(lambda: other.broker.dropped == 1 and other.broker.partial)
        for number, topic in enumerate(others):
            other.broker.publish(topic, b"%d" % number)
        wanted = sorted((topic, b"%d" % number) for number, topic in enumerate(others))
        await until(lambda: sorted(pair for pair in one.messages if pair[1].isdigit()) == wanted)
        # What is subscribed to now belongs to both kinds of shards.
        other.broker.subscribe([others[0], dead])
        await reaches(one, other, others[0])
        assert one.broker.is_connected
        assert not one.broker.takes_all
        assert server.tell(3, "CLUSTER", "FAILOVER", "TAKEOVER") == "OK"
        await until(lambda: not one.broker.partial and not other.broker.partial)
        await reaches(other, one, dead)
        await reaches(one, other, dead)
        assert one.states == [True, True]  # never away; something may have been missed
        assert other.broker.dropped == 1
        assert (dead, b"lost") not in one.messages
        # Nothing is kept of what listened to the dead one.
        assert isinstance(one.broker, RedisCluster)
        assert not any(task.done() for task in one.broker._tasks)
        assert len(one.broker._tasks) == 1 + len(one.broker._lines)

    with_ends(server, test, *topics)
    words = f"the broker's node 127.0.0.1:{server.ports[0]} does not answer"
    assert caplog.text.count(words) == 2  # of each end
    assert caplog.text.count("is reached again") == 2


def test_a_session_begins_without_the_shard_that_is_dead_and_finds_it_later(
    server: RedisClusterServer,
) -> None:
    topic = next(t for n in range(99) if owner_of(server, slot_of(server, t := f"t{n}")) == 0)
    server.servers[0].stop()

    async def test(one: Heard, other: Heard) -> None:
        assert one.broker.partial
        assert server.tell(3, "CLUSTER", "FAILOVER", "TAKEOVER") == "OK"
        await until(lambda: not one.broker.partial and not other.broker.partial)
        await reaches(other, one, topic)

    with_ends(server, test, topic)


def test_a_cluster_of_which_no_node_answers_is_away(server: RedisClusterServer) -> None:
    async def test(one: Heard, other: Heard) -> None:
        server.stop()
        await until(lambda: not one.broker.is_connected and not other.broker.is_connected)
        other.broker.publish("t", b"lost")
        assert other.broker.dropped >= 1

    with_ends(server, test, "t")


def test_two_gateway_processes_with_a_cluster_are_one_service(
    system: System, tmp_path: Path
) -> None:
    with running(RedisClusterServer(tmp_path / "cluster", "--requirepass", "right")) as server:
        url = server.url.replace("//", "//:right@")
        for _ in range(2):
            system.add_node("on_message", routing=RoutingOptions(broker_maker(url, "gateway")))
        for node in system.nodes:
            cluster = node.routing.cluster
            assert cluster is not None
            system.wait_until(
                lambda cluster=cluster: len(cluster.nodes) == 2, "they see each other"
            )
        api = system.add_business(on_message=lambda client, message: client.bind(message))
        clients = [system.connect(node=number) for number in range(2)]
        for name, client in zip(("anna", "bert"), clients, strict=True):
            client.send(name)
        while len(system.ask(api.get_all_uid_list())) < 2:
            pass
        with GatewayClient(url) as gateway:
            assert sorted(gateway.get_all_uid_list()) == ["anna", "bert"]
            gateway.send_to_all("to all")
        assert [client.receive() for client in clients] == ["to all"] * 2
        for node in system.nodes:
            system.run(node.routing.stop())


def test_one_node_of_a_cluster_as_a_redis_says_what_it_is(
    server: RedisClusterServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def test() -> None:
        heard = Heard("a")
        url = f"redis://127.0.0.1:{server.ports[0]}"
        heard.broker = Redis(url, "test", heard.subscriber)
        await heard.broker.start()
        try:
            await until(lambda: heard.broker.is_connected)
            await reaches(heard, heard, "a")
        finally:
            await heard.broker.close()

    asyncio.run(test())
    assert "give redis+cluster://" in caplog.text


def test_slots_that_nobody_serves_are_told(server: RedisClusterServer) -> None:
    for node in (2, 1, 0):  # its node first: it would tell the others again
        server.tell(node, "CLUSTER", "DELSLOTS", "16383")

    async def test() -> str:
        broker = RedisCluster(server.url, "test", Heard().subscriber)
        await broker.start()
        try:
            await until(lambda: "not answered" not in broker.trouble)
            return broker.trouble
        finally:
            await broker.close()

    assert "1 of the cluster's 16384 slots are served by no node" in asyncio.run(test())


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://",
        "redis+cluster://a,",
        "redis+cluster://a:port",
        "redis+cluster://a:0",
        "redis+cluster://a:1,b:99999",
    ],
)
def test_an_address_that_names_no_node_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="the broker's address names no node"):
        RedisCluster(url, "test", Heard().subscriber)


def test_each_node_is_reached_as_the_address_says() -> None:
    url = "rediss+cluster://me:a%40b@h1,[::1]:7000/?ssl_ca_certs=x"
    cluster = RedisCluster(url, "test", Heard().subscriber)
    assert cluster._known == [("h1", 6379), ("::1", 7000)]
    assert cluster._url_of(("::1", 7000)) == "rediss://me:a%40b@[::1]:7000?ssl_ca_certs=x"


def test_a_map_of_slots_knows_owners_and_whom_to_ask_next() -> None:
    answer = [
        [0, 99, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.2", 7001, b"id"]],
        [100, SLOTS - 1, [b"", 7002, b"id", []], [None, 7003, b"id"]],
    ]
    found = SlotMap(answer, ("asked", 7002))
    owners = [found.owner(slot) for slot in (0, 99, 100, SLOTS - 1)]
    assert owners == [("10.0.0.1", 7000)] * 2 + [("asked", 7002)] * 2
    assert found.known == {*owners, ("10.0.0.2", 7001), ("asked", 7003)}
    found.move(99, ("10.0.0.9", 1))
    assert found.owner(99) == ("10.0.0.9", 1)
    assert found.primaries == {*owners, ("10.0.0.9", 1)}
    with pytest.raises(ConnectionError, match="100 of the cluster's 16384 slots"):
        SlotMap(answer[1:], ("asked", 7002))


def test_channels_are_told_slot_by_slot() -> None:
    assert by_slot([b"a", b"bb", b"c"], len) == {1: [b"a", b"c"], 2: [b"bb"]}


def test_a_node_that_takes_nothing_is_told_as_such() -> None:
    async def read_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(read_only, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        url = f"redis+cluster://127.0.0.1:{address[1]}"
        broker = RedisCluster(url, "test", Heard().subscriber, RemoteLimits(timeout=0.4))
        with pytest.raises(ConnectionError, match="it took nothing"):
            await broker._publish_share(address, [(0, b"channel", b"message")])
        assert broker._unsent == 1
        server.close()

    asyncio.run(test())
