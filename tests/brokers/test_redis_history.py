"""Durable histories in Redis: what it evicts, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokers.stores import Stores, contents, refusal
from kit.brokers import (
    RedisClusterServer,
    RedisSentinelServers,
    Server,
    redis_server,
    running,
)
from kit.waiting import wait_until
from lineman.brokers import redis_commands
from lineman.brokers.choice import history_store
from lineman.brokers.history_store import StoreLimits
from lineman.testing.certificates import TestCA


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Stores]:
    with running(redis_server(tmp_path)) as server:
        yield Stores("redis", server)


def test_a_redis_that_evicts_one_of_a_groups_keys_never_says_more_than_it_has(
    redis: Stores,
) -> None:
    async def test() -> None:
        store: Any = redis.add()
        ((epoch, _),) = await store.append("g", [b"a"])
        place, entries = store._keys("g")
        await store._server.client.delete(entries)
        found = await store.read("g", epoch, 0)
        assert (found.epoch, found.offset, found.first, found.entries) == (epoch, 1, 2, [])
        assert await store.append("g", [b"b"]) == [(epoch, 2)]
        found = await store.read("g", epoch, 1)
        assert (found.first, contents(found)) == (2, [b"b"])
        await store._server.client.delete(place)
        assert (await store.read("g", epoch, 1)).epoch == ""
        ((another, offset),) = await store.append("g", [b"c"])
        assert another != epoch
        found = await store.read("g", another, offset - 1)
        assert contents(found) == [b"c"], "and nothing of the old epoch"

    redis.run(test)


def test_a_redis_user_who_may_not_run_scripts_is_told_what_to_allow(tmp_path: Path) -> None:
    rules = ["--user", "poor", "on", ">pw", "~*", "&*", "+@all", "-info"]
    with running(redis_server(tmp_path, *rules)) as server:
        told = refusal(f"redis://poor:pw@127.0.0.1:{server.port}")
    assert "+info" in told
    assert "+xadd" in told


def test_a_redis_without_memory_says_so(tmp_path: Path) -> None:
    with running(redis_server(tmp_path, "--maxmemory", "1")) as server:
        assert "its memory is full" in refusal(f"redis://127.0.0.1:{server.port}")


def test_the_master_that_the_sentinels_name_is_used_though_another_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_commands, "LOOK", 0.0)

    async def test(url: str) -> None:
        store: Any = history_store(url, "test", StoreLimits(100, 300.0, 1000))
        try:
            await store.append("g", [b"a"])
            before = store._server.client
            await store.append("g", [b"b"])
            assert store._server.client is before
            store._server._master = ("127.0.0.1", 1)  # as if another one had been the master before
            assert (await store.append("g", [b"c"]))[0][1] == 3
            assert store._server.client is not before
            servers.sentinel.stop()
            assert (await store.append("g", [b"d"]))[0][1] == 4, "it goes on without sentinels"
        finally:
            await store.close()

    with running(RedisSentinelServers(tmp_path)) as servers:
        asyncio.run(test(f"redis+sentinel://{servers.hosts}/mymaster"))


def test_a_redis_with_a_password_and_tls_keeps_histories(tmp_path: Path) -> None:
    ca = TestCA(tmp_path)
    pair = ca.issue(["127.0.0.1"])

    def words(port: int) -> list[str]:
        return [
            *("--port", "0", "--tls-port", str(port), "--save", "", "--bind", "127.0.0.1"),
            *("--dir", str(tmp_path), "--requirepass", "r/ght", "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(pair.cert), "--tls-key-file", str(pair.key)),
            *("--tls-ca-cert-file", str(ca.ca_path)),
        ]

    with running(Server("redis-server", words, "Ready to accept connections")) as server:
        where = f"127.0.0.1:{server.port}"
        assert refusal(f"rediss://:r%2Fght@{where}?ssl_ca_certs={ca.ca_path}") == ""
        assert "login" in refusal(f"rediss://:wrong@{where}?ssl_ca_certs={ca.ca_path}")
        assert "not trusted" in refusal(f"rediss://:r%2Fght@{where}")


def test_a_cluster_with_a_password_keeps_histories(tmp_path: Path) -> None:
    with running(RedisClusterServer(tmp_path, "--requirepass", "r/ght")) as server:
        hosts = ",".join(f"127.0.0.1:{port}" for port in server.ports[:2])
        wait_until(lambda: not refusal(f"redis+cluster://:r%2Fght@127.0.0.1:1,{hosts}"), "it is up")
        assert "login" in refusal(f"redis+cluster://:wrong@{hosts}")
