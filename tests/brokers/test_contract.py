"""The contract of every broker, tested with the real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

from brokers.support import Heard, reaches
from kit.brokers import RedisClusterServer, Server, nats_server, redis_server, running
from kit.waiting import DEADLINE, until
from lineman.brokers.base import Broker
from lineman.brokers.embedded import Embedded, Hub
from lineman.brokers.nats import Nats
from lineman.brokers.redis import Redis
from lineman.brokers.redis_cluster import RedisCluster


class EmbeddedServer:
    """The hub, with the same methods as the other servers of the tests."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self.path = path
        self._loop = loop
        self._hub: Hub | None = None

    def start(self) -> None:
        self._hub = Hub()
        self._loop.run_until_complete(self._hub.start(self.path))

    def stop(self) -> None:
        if self._hub is not None:
            self._loop.run_until_complete(self._hub.stop())
            self._hub = None


class Bench:
    """One kind of broker with its server, and the ends that a test opens."""

    def __init__(
        self,
        kind: str,
        server: Server | EmbeddedServer | RedisClusterServer,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.kind = kind
        self.server = server
        self.loop = loop
        self.ends: list[Heard] = []

    def make(self, heard: Heard, name: str = "test") -> Broker:
        if self.kind == "embedded":
            return Embedded(self.server.path, heard.subscriber)
        if self.kind == "redis":
            return Redis(f"redis://127.0.0.1:{self.server.port}", name, heard.subscriber)
        if self.kind == "redis-cluster":
            return RedisCluster(self.server.url, name, heard.subscriber)
        return Nats(f"nats://127.0.0.1:{self.server.port}", name, heard.subscriber)

    async def open(self, *topics: str, name: str = "test") -> Heard:
        heard = Heard(*topics)
        heard.broker = self.make(heard, name)
        self.ends.append(heard)
        await heard.broker.start()
        await until(lambda: heard.broker.is_connected)
        return heard

    def run(self, coroutine: Awaitable[None]) -> None:
        async def within() -> None:
            await asyncio.wait_for(coroutine, 2 * DEADLINE)

        self.loop.run_until_complete(within())

    def close(self) -> None:
        for end in self.ends:
            self.loop.run_until_complete(end.broker.close())


@pytest.fixture(params=["embedded", "redis", "redis-cluster", "nats"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    loop = asyncio.new_event_loop()
    server: Server | EmbeddedServer | RedisClusterServer
    if request.param == "embedded":
        server = EmbeddedServer(str(tmp_path / "hub.sock"), loop)
    elif request.param == "redis":
        server = redis_server(tmp_path)
    elif request.param == "redis-cluster":
        server = RedisClusterServer(tmp_path)
    else:
        server = nats_server()
    bench = Bench(request.param, server, loop)
    try:
        with running(server):
            yield bench
            bench.close()
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()


def without_marks(heard: Heard) -> list[tuple[str, bytes]]:
    return [message for message in heard.messages if message[1] != b"does it reach you?"]


ODD_TOPICS = ["plain", "uid:a b\n.*>", "group:" + "é" * 128, "uid:\0", "UID:plain"]


def test_a_message_reaches_those_who_subscribed_and_nobody_else(bench: Bench) -> None:
    async def test() -> None:
        one = await bench.open(*ODD_TOPICS)
        other = await bench.open("end")
        for topic in (*ODD_TOPICS, "nobody's"):
            other.broker.publish(topic, topic.encode())
        other.broker.publish("end", b"\x00\xff" * 1000)
        await until(lambda: len(one.messages) == len(ODD_TOPICS) and other.messages)
        assert sorted(one.messages) == sorted((topic, topic.encode()) for topic in ODD_TOPICS)
        assert other.messages == [("end", b"\x00\xff" * 1000)]

    bench.run(test())


def test_messages_of_one_publisher_come_in_order(bench: Bench) -> None:
    async def test() -> None:
        one, other = await bench.open("a"), await bench.open()
        expected = [("a", str(number).encode()) for number in range(2000)]
        for message in expected:
            other.broker.publish(*message)
        await until(lambda: len(one.messages) == 2000)
        assert one.messages == expected
        assert other.broker.dropped == 0

    bench.run(test())


def test_messages_of_one_publisher_come_in_order_over_topics_where_one_server_has_them_all(
    bench: Bench,
) -> None:
    if bench.kind == "redis-cluster":
        return  # its topics are on several servers

    async def test() -> None:
        topics = [f"t{number}" for number in range(7)]
        one, other = await bench.open(*topics), await bench.open()
        expected = [(topics[number % 7], str(number).encode()) for number in range(2000)]
        for message in expected:
            other.broker.publish(*message)
        await until(lambda: len(one.messages) == 2000)
        assert one.messages == expected

    bench.run(test())


def test_subscriptions_come_and_go(bench: Bench) -> None:
    async def test() -> None:
        one, other = await bench.open("a"), await bench.open()
        one.broker.subscribe(["b", "c"])
        await reaches(other, one, "b")
        await reaches(other, one, "c")
        one.broker.unsubscribe(["b", "never"])
        one.broker.subscribe(["d"])
        await reaches(other, one, "d")  # by then earlier messages have arrived
        other.broker.publish("b", b"too late")
        other.broker.publish("c", b"in time")
        await until(lambda: ("c", b"in time") in one.messages)
        assert ("b", b"too late") not in one.messages

    bench.run(test())


def test_a_broker_that_was_away_is_found_again_with_all_subscriptions(bench: Bench) -> None:
    async def begin() -> None:
        one, other = await bench.open("a"), await bench.open()
        await reaches(other, one, "a")

    async def cut() -> None:
        one, other = bench.ends
        await until(lambda: not one.broker.is_connected and not other.broker.is_connected)
        assert one.broker.trouble
        one.topics.add("b")
        one.broker.subscribe(["b"])
        dropped = other.broker.dropped
        for _ in range(1000):
            other.broker.publish("a", b"x" * 1000)
        assert other.broker.dropped == dropped + 1000

    async def back() -> None:
        one, other = bench.ends
        await until(lambda: one.broker.is_connected and other.broker.is_connected)
        await reaches(other, one, "b")
        await reaches(other, one, "a")
        assert one.states == [True, False, True]
        assert ("a", b"x" * 1000) not in one.messages
        assert one.broker.trouble == ""

    bench.run(begin())
    bench.server.stop()
    bench.run(cut())
    bench.server.start()
    bench.run(back())


def test_a_broker_that_is_not_there_is_waited_for(bench: Bench) -> None:
    bench.server.stop()

    async def begin() -> None:
        heard = Heard("a")
        heard.broker = bench.make(heard)
        bench.ends.append(heard)
        await heard.broker.start()
        await until(lambda: "not tried" not in heard.broker.trouble)
        heard.broker.publish("a", b"lost")
        assert (heard.broker.is_connected, heard.broker.dropped) == (False, 1)

    async def back() -> None:
        await until(lambda: bench.ends[0].broker.is_connected)
        await reaches(bench.ends[0], bench.ends[0], "a")

    bench.run(begin())
    bench.server.start()
    bench.run(back())


def test_what_was_published_before_closing_arrives(bench: Bench) -> None:
    async def test() -> None:
        one, other = await bench.open("a"), await bench.open()
        for number in range(100):
            other.broker.publish("a", str(number).encode())
        await other.broker.close()
        await until(lambda: len(one.messages) == 100)
        other.broker.publish("a", b"after the end")
        assert other.broker.dropped == 1

    bench.run(test())


def test_what_was_published_is_settled_when_the_server_has_it_or_it_was_dropped(
    bench: Bench,
) -> None:
    async def test() -> None:
        one = await bench.open("news")
        for number in range(100):
            one.broker.publish("news", b"%d" % number)
        assert one.broker.taken == 100
        assert one.broker.settled < 100
        await until(lambda: one.broker.settled == 100)
        one.broker.publish("news", b"the last")
        await one.broker.close()
        assert one.broker.settled == one.broker.taken == 101

    bench.run(test())


def test_many_subscriptions_at_once(bench: Bench) -> None:
    async def test() -> None:
        topics = [f"uid:{number}" for number in range(5000)]
        one, other = await bench.open(), await bench.open()
        before = len(asyncio.all_tasks())
        one.broker.subscribe(topics)
        await reaches(other, one, topics[-1])
        assert len(asyncio.all_tasks()) < before + 10, "none of them costs a task"
        for topic in topics[::100]:
            other.broker.publish(topic, b"x")
        await until(lambda: len(without_marks(one)) == 50)

    bench.run(test())


def test_services_of_different_names_share_a_server_and_nothing_else(bench: Bench) -> None:
    if bench.kind == "embedded":
        return  # each service has a hub of its own

    async def test() -> None:
        one, other = await bench.open("a", name="one"), await bench.open("a", name="other")
        one.broker.publish("a", b"to one")
        other.broker.publish("a", b"to the other")
        await until(lambda: one.messages and other.messages)
        assert one.messages == [("a", b"to one")]
        assert other.messages == [("a", b"to the other")]

    bench.run(test())
