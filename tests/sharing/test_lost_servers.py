"""What `Shared` promises when a server of its values is lost, at real servers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.brokers import RedisClusterServer, RedisSentinelServers, nats_server, redis_server, running
from kit.waiting import DEADLINE
from lineman import NotReachedError, RefusedError, Shared
from lineman.sharing import event_bus, nats_store
from lineman.sharing.nats_store import NatsStore
from lineman.sharing.redis_store import RedisStore
from lineman.sharing.store import Store

Test = Callable[[Shared], Awaitable[None]]


def with_store(make: Callable[[], Store], test: Test) -> None:
    async def main() -> None:
        bus = await event_bus.join(None, make)
        try:
            await test(Shared("s"))
        finally:
            await event_bus.leave(bus)

    asyncio.run(main())


async def when_reached(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer, as soon as there is one."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                return await ask()
            except NotReachedError:
                await asyncio.sleep(0.02)


def test_what_nats_has_answered_for_survives_its_death(tmp_path: Path) -> None:
    async def test(shared: Shared) -> None:
        answered = failed = 0

        async def count() -> None:
            nonlocal answered, failed
            while not failed:
                try:
                    await shared.increment("n")
                    answered += 1
                except NotReachedError:
                    failed += 1

        counting = [asyncio.create_task(count()) for _ in range(4)]
        async with asyncio.timeout(DEADLINE):
            while answered < 50:
                await asyncio.sleep(0.001)
        server.signal(signal.SIGKILL)
        await asyncio.gather(*counting)
        with pytest.raises(NotReachedError, match="NATS does not answer"):
            await shared.get("n")
        server.stop()
        server.start()
        kept = await when_reached(lambda: shared.get("n"))
        assert answered <= kept <= answered + failed

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        with_store(lambda: NatsStore(f"nats://127.0.0.1:{server.port}", "t", 2), test)


def test_a_replica_of_a_redis_cluster_goes_on_with_the_values(tmp_path: Path) -> None:
    async def test(shared: Shared) -> None:
        keys = [f"key {number}" for number in range(20)]  # of all three shards
        for key in keys:
            await when_reached(lambda key=key: shared.set(key, key))
        assert servers.tell(0, "WAIT", "1", "5000") == "1"
        servers.servers[0].stop()
        results = await asyncio.gather(*(shared.get(key) for key in keys), return_exceptions=True)
        assert all(isinstance(one, str | NotReachedError) for one in results), results
        assert any(isinstance(one, NotReachedError) for one in results)
        assert servers.tell(3, "CLUSTER", "FAILOVER", "TAKEOVER") == "OK"
        for key in keys:
            assert await when_reached(lambda key=key: shared.get(key)) == key
            assert await shared.compare_and_set(key, key, 1)
            assert await shared.increment(key) == 2

    with running(RedisClusterServer(tmp_path)) as servers:
        with_store(lambda: RedisStore(servers.url, "t", 5), test)


def test_the_master_that_the_sentinels_name_has_the_values(tmp_path: Path) -> None:
    async def test(shared: Shared) -> None:
        await shared.set("k", 1)
        for _ in range(50):
            await shared.increment("n")
        servers.servers[0].stop()
        assert await when_reached(lambda: shared.increment("n")) >= 1

    with running(RedisSentinelServers(tmp_path)) as servers:
        url = f"redis+sentinel://{servers.hosts}/mymaster"
        with_store(lambda: RedisStore(url, "t", 2), test)


def test_a_redis_without_a_log_on_disk_begins_empty(tmp_path: Path) -> None:
    async def test(shared: Shared) -> None:
        await shared.set("k", 1)
        server.stop()
        with pytest.raises(NotReachedError, match="Redis does not answer"):
            await shared.get("k")
        server.start()
        assert await when_reached(lambda: shared.get("k")) is None

    with running(redis_server(tmp_path)) as server:
        with_store(lambda: RedisStore(f"redis://127.0.0.1:{server.port}", "t", 2), test)


def test_nats_is_full_at_its_limits_and_expired_keys_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_store, "MAX_KEYS", 3)
    monkeypatch.setattr(nats_store, "SWEEP", 0.0)

    async def test(shared: Shared) -> None:
        bus: Any = event_bus.here()
        bus.store._note = lambda *what: None  # as of a process that has ended
        await shared.set("a", 1)
        await shared.set("b", 1)
        await shared.set("c", 1, expire=0.05)
        with pytest.raises(RefusedError, match="is full"):
            await shared.add("d", 1)
        await shared.set("a", 2)  # a key that is there needs no room
        assert await shared.increment("b") == 2
        over = time.monotonic() + 0.1
        async with asyncio.timeout(DEADLINE):
            while time.monotonic() < over:
                await asyncio.sleep(0.01)
        assert await shared.add("d", 1)
        assert await shared.get("a") == 2
        assert await shared.get("c") is None

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        with_store(lambda: NatsStore(f"nats://127.0.0.1:{server.port}", "t"), test)


def test_what_a_process_has_set_is_deleted_from_nats_when_it_has_expired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_store, "SWEEP", 0.05)

    async def test(shared: Shared) -> None:
        bus: Any = event_bus.here()
        await shared.set("a", 1, expire=0.01)
        await shared.set("b", 1, expire=0.01)
        await shared.set("b", 2)  # it stays
        jetstream = await bus.store._server.reach()

        async def left() -> int:
            found: int = (await jetstream.stream_info(bus.store._stream)).state.messages
            return found

        async with asyncio.timeout(DEADLINE):
            while await left() > 1:
                await asyncio.sleep(0.02)
        assert await shared.get("b") == 2

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        with_store(lambda: NatsStore(f"nats://127.0.0.1:{server.port}", "t"), test)


def test_a_nats_server_without_jetstream_says_what_to_do() -> None:
    async def test(shared: Shared) -> None:
        with pytest.raises(NotReachedError, match="JetStream is not enabled"):
            await shared.get("k")

    with running(nats_server()) as server:
        with_store(lambda: NatsStore(f"nats://127.0.0.1:{server.port}", "t"), test)


def test_processes_that_count_the_same_key_in_nats_lose_nothing(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        stores = [NatsStore(url, "t") for _ in range(3)]
        from lineman.sharing.store_messages import StoreRequest

        def ask(store: NatsStore) -> Awaitable[Any]:
            return store.ask(StoreRequest(0, "increment", "s:n", by=1))

        await asyncio.gather(*(ask(store) for store in stores for _ in range(40)))
        last = await ask(stores[0])
        assert last.value == b"121"
        for store in stores:
            await store.close()

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        asyncio.run(main(f"nats://127.0.0.1:{server.port}"))
