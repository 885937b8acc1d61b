"""`Shared`, with the same contract in a single process, in the hub, and at real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.brokers import RedisClusterServer, nats_server, redis_server, running
from kit.waiting import until, wait_until
from lineman import NotReachedError, RefusedError, Shared, UsageError
from lineman.sharing import event_bus
from lineman.sharing.nats_store import NatsStore
from lineman.sharing.redis_store import RedisStore
from lineman.sharing.store import LocalStore, Store
from lineman.sharing.store_client import StoreClient
from lineman.sharing.store_server import StoreServer

Test = Callable[[Shared], Awaitable[None]]
Run = Callable[[Test], None]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(redis_server(tmp_path_factory.mktemp("redis"))) as server:
        yield f"redis://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(RedisClusterServer(tmp_path_factory.mktemp("cluster"))) as servers:
        wait_until(lambda: is_up(servers, range(4)), "the cluster is up")
        yield servers.url


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("nats")
    with running(nats_server("-js", "-sd", str(directory))) as server:
        yield f"nats://127.0.0.1:{server.port}"


def is_up(servers: RedisClusterServer, nodes: Iterable[int]) -> bool:
    return all("cluster_state:ok" in servers.tell(node, "cluster", "info") for node in nodes)


async def with_store(store: Store, test: Test, name: str) -> None:
    bus = await event_bus.join(None, lambda: store)
    try:
        await test(Shared(name))
    finally:
        await event_bus.leave(bus)


@pytest.fixture(params=["alone", "hub", "redis", "redis_cluster", "nats"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    kind, name = request.param, str(tmp_path)[-80:]

    def go(test: Test) -> None:
        async def main() -> None:
            if kind == "alone":
                await with_store(LocalStore(), test, name)
            elif kind != "hub":
                make = NatsStore if kind == "nats" else RedisStore
                await with_store(make(request.getfixturevalue(kind), "t"), test, name)
            else:
                store, path = StoreServer(), str(tmp_path / "store")
                await store.start(path)
                await with_store(StoreClient(path), test, name)
                store.stop()

        asyncio.run(main())

    return go


def test_values_are_set_read_and_deleted(run: Run) -> None:
    async def test(shared: Shared) -> None:
        assert await shared.get("k") is None
        assert await shared.get("k", "default") == "default"
        for value in (7, -1, True, None, 1.5, "é", b"\xff", [1, {"a": None}], ""):
            await shared.set("k", value)
            found = await shared.get("k", "default")
            assert found == value
            assert type(found) is type(value)
        assert await shared.delete("k")
        assert not await shared.delete("k")
        assert await shared.get("k") is None

    run(test)


def test_add_and_compare_and_set_succeed_once(run: Run) -> None:
    async def test(shared: Shared) -> None:
        assert await shared.add("lock", "me")
        assert not await shared.add("lock", "you")
        assert not await shared.compare_and_set("lock", "you", "us")
        assert await shared.compare_and_set("lock", "me", {"b": 1, "a": 2})
        assert not await shared.compare_and_set("lock", {"b": 1, "a": 3}, 0)
        assert await shared.compare_and_set("lock", {"a": 2, "b": 1}, 1)
        assert not await shared.compare_and_set("lock", True, 0)
        assert not await shared.compare_and_set("nobody", None, 0)
        results = await asyncio.gather(*(shared.add("race", number) for number in range(20)))
        assert results.count(True) == 1

    run(test)


def test_increment_adds_up_whoever_counts(run: Run) -> None:
    async def test(shared: Shared) -> None:
        assert await shared.increment("n") == 1
        sums = await asyncio.gather(*(shared.increment("n", 2) for _ in range(50)))
        assert sorted(sums) == list(range(3, 103, 2))
        assert await shared.increment("n", -101) == 0
        await shared.set("n", 2**53)
        assert await shared.increment("n") == 2**53 + 1
        await shared.set("n", 2**63 - 1)
        for key, value in (("n", None), ("text", "7"), ("truth", True), ("point", 1.0)):
            if value is not None:
                await shared.set(key, value)
            with pytest.raises(RefusedError, match="no whole number, or the sum"):
                await shared.increment(key)
        assert await shared.get("n") == 2**63 - 1

    run(test)


def test_keys_expire(run: Run) -> None:
    async def gone(shared: Shared, key: str) -> None:
        while await shared.get(key) is not None:
            await asyncio.sleep(0.01)

    async def test(shared: Shared) -> None:
        await shared.set("a", 1, expire=0.02)
        assert await shared.add("b", 1, expire=0.02)
        assert await shared.increment("c", expire=0.02) == 1
        await shared.set("d", 1)
        assert await shared.compare_and_set("d", 1, 2, expire=0.02)
        await shared.set("e", 1)
        assert await shared.expire("e", 0.02)
        async with asyncio.timeout(20):
            for key in "abcde":
                await gone(shared, key)
        assert not await shared.expire("e", 1)
        await shared.set("f", 1, expire=1000)
        assert await shared.expire("f", None)
        assert await shared.expire("f", None)
        assert await shared.get("f") == 1

    run(test)


def test_two_names_have_nothing_in_common(run: Run) -> None:
    async def test(shared: Shared) -> None:
        other = Shared("other " + shared.name[-20:])
        await shared.set("k", 1)
        assert await other.get("k") is None
        await other.delete("k")
        assert await shared.get("k") == 1
        alike = Shared(f"{shared.name[-20:]}:b")
        await Shared(shared.name[-20:]).set("b:c", 2)
        assert await alike.get("c") is None

    run(test)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda shared: shared.get(7), "a key is a text"),
        (lambda shared: shared.get(""), "a key has 0 bytes"),
        (lambda shared: shared.set("k", object()), "is a object"),
        (lambda shared: shared.set("k", "x" * 1_000_001), "bytes, 1,000,000 are allowed"),
        (lambda shared: shared.set("k", 1, expire=0), "expire is 0 s"),
        (lambda shared: shared.increment("k", 1.5), "by is a whole number"),
    ],
)
def test_what_cannot_be_is_an_error_that_says_why(run: Run, call: Any, words: str) -> None:
    async def test(shared: Shared) -> None:
        with pytest.raises(UsageError, match=words):
            await call(shared)

    run(test)


def test_a_shared_outside_of_a_process_of_the_program_says_where_it_works() -> None:
    with pytest.raises(UsageError, match=r"make it before Worker\.run_all"):
        asyncio.run(Shared("x").get("k"))


@pytest.mark.parametrize("name", ["", 7, "x" * 101])
def test_a_name_that_cannot_be_is_an_error(name: Any) -> None:
    with pytest.raises(UsageError):
        Shared(name)


def test_a_store_without_room_is_an_error_in_words() -> None:
    async def test(shared: Shared) -> None:
        bus: Any = event_bus.here()
        bus.store._values._max_keys = 1
        await shared.set("a", 1)
        with pytest.raises(RefusedError, match="is full"):
            await shared.set("b", 1)

    async def main() -> None:
        await with_store(LocalStore(), test, "full")

    asyncio.run(main())


def test_a_redis_that_is_full_or_gone_is_told_by_name(tmp_path: Path) -> None:
    server = redis_server(tmp_path)
    server.start()

    async def test(shared: Shared) -> None:
        bus: Any = event_bus.here()
        client = await bus.store._server.reach()
        await client.config_set("maxmemory", "1")
        with pytest.raises(RefusedError, match="is full"):
            await shared.set("k", 1)
        with pytest.raises(RefusedError, match="is full"):
            await shared.increment("k")
        await client.config_set("maxmemory", "0")
        await client.set(bus.store._prefix + shared.name.encode() + b":k", b"of another program")
        with pytest.raises(RefusedError, match="no Shared has written"):
            await shared.get("k")
        server.stop()
        with pytest.raises(NotReachedError, match="Redis does not answer"):
            await shared.get("k")
        server.start()

        async def again() -> bool:
            try:
                return await shared.get("k") is None
            except NotReachedError:
                return False

        async with asyncio.timeout(20):
            while not await again():
                await asyncio.sleep(0.02)

    try:
        store = RedisStore(f"redis://127.0.0.1:{server.port}", "t")
        asyncio.run(with_store(store, test, "full"))
    finally:
        server.stop()


def test_values_that_a_hub_kept_are_gone_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        first, path = StoreServer(), str(tmp_path / "store")
        await first.start(path)

        async def test(shared: Shared) -> None:
            await shared.set("k", 1)
            first.stop()
            await until(lambda: not first._links)
            second = StoreServer()
            await second.start(path)
            assert await shared.get("k") is None
            second.stop()

        await with_store(StoreClient(path), test, "lost")

    asyncio.run(main())
