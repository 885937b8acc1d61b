"""Durable histories in Redis: what it evicts, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokers.stores import Stores, contents, refusal
from kit.brokers import redis_server, running


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
        await store._client.delete(entries)
        found = await store.read("g", epoch, 0)
        assert (found.epoch, found.offset, found.first, found.entries) == (epoch, 1, 2, [])
        assert await store.append("g", [b"b"]) == [(epoch, 2)]
        found = await store.read("g", epoch, 1)
        assert (found.first, contents(found)) == (2, [b"b"])
        await store._client.delete(place)
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
