"""NATS: topics and logins as its protocol and its library take them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from brokers.support import Heard
from kit.brokers import nats_server, running
from kit.waiting import until
from lineman.brokers.base import Subscriber
from lineman.brokers.choice import broker_maker
from lineman.brokers.nats import Nats, token_of
from lineman.errors import ConfigError


def nats(url: str) -> Any:
    return Nats(url, "test", Subscriber(lambda topic, payload: None, lambda state: None, tuple))


def made(url: str) -> Any:
    async def make() -> Any:
        return nats(url)

    return asyncio.run(make())


@pytest.mark.parametrize("topic", ["", "a b", "uid:*", "group:a.b.>", "\0", "é" * 100])
def test_a_topic_is_one_token_of_a_subject(topic: str) -> None:
    token = token_of(topic)
    assert token
    assert not set(token) & set(" .*>\r\n\t\0")
    assert token.isascii()
    assert token != token_of(f"{topic}x")


@pytest.mark.parametrize(
    ("url", "where", "login"),
    [
        ("nats://h", ["nats://h:4222"], {}),
        ("nats://geheim@h:4222", ["nats://h:4222"], {"token": "geheim"}),
        ("tls://a%2Fb:c%40d@[::1]:4222", ["tls://[::1]:4222"], {"user": "a/b", "password": "c@d"}),
        (
            "nats://:p@a:1,b,[::1]:3",
            ["nats://[::1]:3", "nats://a:1", "nats://b:4222"],
            {"user": "", "password": "p"},
        ),
    ],
)
def test_a_login_is_given_decoded_and_apart_from_the_addresses(
    url: str, where: list[str], login: dict[str, str]
) -> None:
    broker = made(url)
    assert (sorted(broker._servers), broker._login()) == (where, login)


def test_the_nodes_begin_at_different_servers() -> None:
    assert {made("nats://a,b")._servers[0] for _ in range(64)} == {"nats://a:4222", "nats://b:4222"}


@pytest.mark.parametrize(
    "url",
    ["nats://", "nats://h:0", "nats://me:geheim@h:99999", "nats://me:geheim@h,", "nats://a,b:x"],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="the broker's address names no node") as refused:
        made(url)
    assert "geheim" not in str(refused.value).partition("; fix:")[0]


def test_only_an_address_that_says_so_speaks_tls() -> None:
    assert made("nats://h:4222")._tls() is None
    assert made("tls://h:4222")._tls() is not None


def test_servers_that_are_each_written_with_their_login_are_reached() -> None:
    async def test() -> None:
        heard = Heard()
        one = f"nats://me:r%2Fght@127.0.0.1:{server.port}"
        heard.broker = broker_maker(f"{one},{one}", "test")(heard.subscriber)
        await heard.broker.start()
        try:
            await until(lambda: heard.broker.is_connected)
        finally:
            await heard.broker.close()

    with running(nats_server("--user", "me", "--pass", "r/ght")) as server:
        asyncio.run(test())
