"""A Redis behind Sentinel: its address, and how the sentinels and the master are reached."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lineman.brokers.base import Subscriber
from lineman.brokers.redis_sentinel import RedisSentinel, _errors_in
from lineman.errors import ConfigError


def made(url: str) -> Any:
    async def make() -> Any:
        return RedisSentinel(url, "test", Subscriber(lambda *_: None, lambda _: None, tuple))

    return asyncio.run(make())


def test_the_master_is_reached_with_the_login_and_the_options_of_the_address() -> None:
    url = "rediss+sentinel://me:a%40b@h1,[::1]:7/shop?ssl_ca_certs=x&sentinel_password=s%26t"
    broker = made(url)
    assert broker._parts.hosts == (("h1", 26379), ("::1", 7))
    assert broker._service == "shop"
    assert broker._url_of(("10.0.0.1", 6379)) == "rediss://me:a%40b@10.0.0.1:6379?ssl_ca_certs=x"
    assert broker._login == {"password": "s&t"}
    assert broker.shown == "rediss+sentinel://…@h1,[::1]:7"


def test_a_sentinel_is_reached_with_its_own_login_and_the_same_tls() -> None:
    async def options(url: str) -> dict[str, Any]:
        broker = RedisSentinel(url, "test", Subscriber(lambda *_: None, lambda _: None, tuple))
        await broker.start()
        try:
            found: dict[str, Any] = broker._sentinels.sentinel_kwargs
            return found
        finally:
            await broker.close()

    plain = asyncio.run(options("redis+sentinel://:servers@127.0.0.1:1/shop"))
    assert "password" not in plain
    assert not plain["ssl"]
    url = "rediss+sentinel://:servers@127.0.0.1:1/shop?ssl_ca_certs=x&sentinel_username=a"
    safe = asyncio.run(options(url))
    assert (safe["ssl"], safe["ssl_ca_certs"], safe["username"]) == (True, "x", "a")


@pytest.mark.parametrize("url", ["redis+sentinel://h", "redis+sentinel://:geheim@h/?a=b"])
def test_an_address_without_a_service_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no service of the sentinels; fix: give") as error:
        made(url)
    assert "geheim" not in str(error.value)


def test_the_errors_of_sentinels_are_told_without_the_objects_of_the_library() -> None:
    text = (
        "No master found for 'x' : <redis.asyncio.client.Redis(<redis.ConnectionPool(<Connection("
        "db=0,host=::1,port=2,a=<b c>)>)>)> - network:ConnectionError, <redis.Redis(<P(<C("
        "host=h,port=3)>)>)> - auth:AuthenticationError"
    )
    assert _errors_in(text) == ["[::1]:2: network:ConnectionError", "h:3: auth:AuthenticationError"]
    assert _errors_in("No master found for 'x'") == []
