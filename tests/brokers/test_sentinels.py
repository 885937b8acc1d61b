"""Sentinels: how they are asked, and what they say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from brokers.stores import contents, works
from kit.brokers import RedisSentinelServers, running
from lineman.brokers.choice import history_store
from lineman.brokers.history_store import StoreLimits
from lineman.brokers.sentinels import Sentinels, errors_in


def test_a_sentinel_is_reached_with_its_own_login_and_the_same_tls() -> None:
    async def options(url: str) -> dict[str, Any]:
        sentinels = Sentinels(url, 5.0)
        try:
            found: dict[str, Any] = sentinels.open().sentinel_kwargs
            return found
        finally:
            await sentinels.close()

    plain = asyncio.run(options("redis+sentinel://:servers@127.0.0.1:1/shop"))
    assert "password" not in plain
    assert not plain["ssl"]
    url = "rediss+sentinel://:servers@127.0.0.1:1/shop?ssl_ca_certs=x&sentinel_username=a"
    safe = asyncio.run(options(url))
    assert (safe["ssl"], safe["ssl_ca_certs"], safe["username"]) == (True, "x", "a")


def test_the_errors_of_sentinels_are_told_without_the_objects_of_the_library() -> None:
    text = (
        "No master found for 'x' : <redis.asyncio.client.Redis(<redis.ConnectionPool(<Connection("
        "db=0,host=::1,port=2,a=<b c>)>)>)> - network:ConnectionError, <redis.Redis(<P(<C("
        "host=h,port=3)>)>)> - auth:AuthenticationError"
    )
    assert errors_in(text) == ["[::1]:2: network:ConnectionError", "h:3: auth:AuthenticationError"]
    assert errors_in("No master found for 'x'") == []


def test_durable_histories_go_on_at_the_next_master(tmp_path: Path) -> None:
    async def test(url: str) -> None:
        store = history_store(url, "test", StoreLimits(100, 300.0, 1 << 20))
        try:
            await works(store)
            ((epoch, _),) = await store.append("g", [b"a"])
            assert contents(await store.read("g", epoch, 0)) == [b"a"]
            servers.servers[0].stop()
            await works(store)
            ((another, offset),) = await store.append("g", [b"b"])
            assert another != epoch  # the replica may lack the last ones
            assert contents(await store.read("g", another, offset - 1)) == [b"b"]
        finally:
            await store.close()

    with running(RedisSentinelServers(tmp_path)) as servers:
        asyncio.run(test(f"redis+sentinel://{servers.hosts}/mymaster"))
