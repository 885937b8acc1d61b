"""What brokers that speak Redis share: their client, their channels, and what a server sends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lineman.brokers.base import Subscriber
from lineman.brokers.redis import Redis
from lineman.brokers.redis_connection import RedisLine, make_client
from lineman.errors import ConfigError


@pytest.mark.parametrize("url", ["redis://h?socket_timeout=x", "redis://h?a=1"])
def test_an_address_that_the_library_cannot_read_is_refused(url: str) -> None:
    async def make() -> None:
        make_client(url, 1.0)

    with pytest.raises(ConfigError, match="redis-py cannot read the broker's address"):
        asyncio.run(make())


def test_a_channel_is_of_one_service_and_comes_back_as_its_topic() -> None:
    heard: list[tuple[str, bytes]] = []

    async def test() -> None:
        subscriber = Subscriber(lambda *message: heard.append(message), lambda state: None, tuple)
        one, other = (Redis("redis://h", name, subscriber) for name in ("one", "other"))
        assert one._channel("uid:é") != other._channel("uid:é")
        one._take(one._channel("uid:é"), b"x")

    asyncio.run(test())
    assert heard == [("uid:é", b"x")]


def test_a_server_sends_a_message_an_end_or_the_answer_to_a_subscription() -> None:
    heard: list[Any] = []

    async def test() -> list[int]:
        client = make_client("redis://127.0.0.1:1", 1.0)
        line = RedisLine(client, 1.0, lambda *message: heard.append(message), heard.append)
        return [
            line._take(said)
            for said in (
                [b"subscribe", b"a", 1],
                [b"message", b"a", b"x"],
                [b"smessage", b"b", b"y"],
                [b"sunsubscribe", b"b", 0],
                [b"pong", b""],
                b"PONG",
            )
        ]

    assert asyncio.run(test()) == [1, 0, 0, 0, 0, 0]
    assert heard == [(b"a", b"x"), (b"b", b"y"), b"b"]
