"""Ends of a broker for the tests, and whether they reach each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kit.brokers import RedisClusterServer, Server, nats_server, redis_server
from kit.waiting import DEADLINE, until
from lineman.brokers.base import Broker, Subscriber
from lineman.brokers.choice import broker_maker
from lineman.brokers.remote import RemoteLimits

KINDS = ("redis", "redis-cluster", "nats")


class Heard:
    """The messages that one end of a broker receives, and its topics."""

    def __init__(self, *topics: str) -> None:
        self.topics = set(topics)
        self.messages: list[tuple[str, bytes]] = []
        self.states: list[bool] = []
        self.broker: Broker | None = None

    @property
    def subscriber(self) -> Subscriber:
        return Subscriber(self.take, self.states.append, lambda: self.topics)

    def take(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))


async def reaches(sender: Heard, receiver: Heard, topic: str) -> None:
    """Returns once a message of one end reaches the other."""
    mark = (topic, b"does it reach you?")

    async def again() -> None:
        while mark not in receiver.messages:
            sender.broker.publish(*mark)
            await asyncio.sleep(0.02)

    await asyncio.wait_for(again(), DEADLINE)


def server_of(kind: str, directory: Path) -> Server | RedisClusterServer:
    """A server of a kind, which is not started yet."""
    if kind == "redis-cluster":
        return RedisClusterServer(directory)
    return redis_server(directory) if kind == "redis" else nats_server()


def url_of(kind: str, server: Server | RedisClusterServer) -> str:
    """Its address."""
    return (
        server.url
        if isinstance(server, RedisClusterServer)
        else f"{kind}://127.0.0.1:{server.port}"
    )


async def open_ends(url: str, *all_topics: tuple[str, ...], limits: RemoteLimits) -> list[Heard]:
    """Connected ends, each of which hears some topics."""
    ends = []
    for topics in all_topics:
        heard = Heard(*topics)
        heard.broker = broker_maker(url, "test", limits)(heard.subscriber)
        await heard.broker.start()
        ends.append(heard)
    await until(lambda: all(heard.broker.is_connected for heard in ends))
    return ends
