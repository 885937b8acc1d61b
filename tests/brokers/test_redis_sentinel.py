"""A Redis behind Sentinel: its address, and how the sentinels and the master are reached."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lineman.brokers.base import Subscriber
from lineman.brokers.redis_sentinel import RedisSentinel
from lineman.errors import ConfigError


def made(url: str) -> Any:
    async def make() -> Any:
        return RedisSentinel(url, "test", Subscriber(lambda *_: None, lambda _: None, tuple))

    return asyncio.run(make())


def test_the_master_is_reached_with_the_login_and_the_options_of_the_address() -> None:
    url = "rediss+sentinel://me:a%40b@h1,[::1]:7/shop?ssl_ca_certs=x&sentinel_password=s%26t"
    broker = made(url)
    sentinels = broker._sentinels
    assert sentinels._parts.hosts == (("h1", 26379), ("::1", 7))
    assert sentinels._parts.path == "shop"
    assert sentinels.url_of(("10.0.0.1", 6379)) == "rediss://me:a%40b@10.0.0.1:6379?ssl_ca_certs=x"
    assert sentinels._login == {"password": "s&t"}
    assert broker.shown == "rediss+sentinel://…@h1,[::1]:7"


@pytest.mark.parametrize("url", ["redis+sentinel://h", "redis+sentinel://:geheim@h/?a=b"])
def test_an_address_without_a_service_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no service of the sentinels; fix: give") as error:
        made(url)
    assert "geheim" not in str(error.value)
