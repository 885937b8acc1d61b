"""The contract of every store of durable histories, tested with the real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brokers.stores import AnyServer, Stores, contents, storing_server, why_not, works
from brokers.support import KINDS
from kit.brokers import running
from lineman.brokers.choice import NoBrokerError, history_store
from lineman.brokers.history_store import StoreLimits


@pytest.fixture(scope="module", params=KINDS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, AnyServer]]:
    server = storing_server(request.param, tmp_path_factory.mktemp("s"))
    with running(server):  # type: ignore[arg-type]  # it has the same methods
        yield request.param, server


@pytest.fixture
def stores(served: tuple[str, AnyServer]) -> Stores:
    return Stores(*served)


@pytest.fixture(params=["redis", "nats"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """A server for one test, which may do to it what it likes."""
    server = storing_server(request.param, tmp_path)
    with running(server):  # type: ignore[arg-type]
        yield Stores(request.param, server)


def test_entries_get_offsets_that_follow_each_other(stores: Stores) -> None:
    async def test() -> None:
        store = stores.add()
        assert (await store.read("g", "", 0)).epoch == ""
        places = await store.append("g", [b"a", b"b"]) + await store.append("g", [b"\xff\x00"])
        (epoch,) = {epoch for epoch, _ in places}
        assert [offset for _, offset in places] == [1, 2, 3]
        found = await store.read("g", "", 0)
        assert (found.epoch, found.offset, found.first) == (epoch, 3, 1)
        assert found.entries == [(1, b"a"), (2, b"b"), (3, b"\xff\x00")]
        assert contents(await store.read("g", epoch, 2)) == [b"\xff\x00"]
        assert contents(await store.read("g", epoch, 3)) == []
        assert len((await store.read("g", "another", 2)).entries) == 3

    stores.run(test)


def test_another_process_goes_on_where_the_last_one_ended(stores: Stores) -> None:
    async def test() -> None:
        store = stores.add()
        ((epoch, _),) = await store.append("g", [b"a"])
        await store.close()
        assert await stores.add().append("g", [b"b"]) == [(epoch, 2)]
        assert contents(await stores.add().read("g", epoch, 0)) == [b"a", b"b"]

    stores.run(test)


def test_two_nodes_that_append_at_the_same_time_share_one_numbering(stores: Stores) -> None:
    async def test() -> None:
        nodes = [stores.add(), stores.add()]

        async def append(node: int) -> list[tuple[str, int]]:
            places = []
            for number in range(20):
                places += await nodes[node].append("g", [b"%d %d" % (node, number)])
            return places

        first, second = await asyncio.gather(append(0), append(1))
        assert len({epoch for epoch, _ in first + second}) == 1
        assert sorted(offset for _, offset in first + second) == list(range(1, 41))
        found = dict((await nodes[0].read("g", "", 0)).entries)
        assert [found[offset] for _, offset in first] == [b"0 %d" % n for n in range(20)]
        assert [found[offset] for _, offset in second] == [b"1 %d" % n for n in range(20)]

    stores.run(test)


def test_too_many_entries_or_bytes_make_room_for_new_ones(stores: Stores) -> None:
    async def test() -> None:
        few = stores.add(f"{stores.name} few", messages=3)
        await few.append("g", [b"%d" % number for number in range(10)])
        found = await few.read("g", "", 0)
        assert (found.offset, found.first, contents(found)) == (10, 8, [b"7", b"8", b"9"])
        small = stores.add(f"{stores.name} small", max_bytes=100)
        for number in range(10):
            await small.append("g", [b"%d" % number * 40])
        found = await small.read("g", "", 0)
        assert (found.offset, found.first) == (10, 9)
        assert contents(found) == [b"8" * 40, b"9" * 40]
        ((epoch, _),) = await small.append("g", [b"x" * 101])
        found = await small.read("g", epoch, 11)
        assert (found.epoch, found.offset, found.first, contents(found)) == (epoch, 11, 12, [])

    stores.run(test)


def test_entries_that_are_too_old_are_gone(stores: Stores) -> None:
    async def test() -> None:
        store = stores.add(f"{stores.name} short", seconds=0.5)
        await store.append("g", [b"old"])
        while contents(await store.read("g", "", 0)):
            await asyncio.sleep(0.05)
        await store.append("g", [b"new"])
        assert contents(await store.read("g", "", 0)) == [b"new"]

    stores.run(test)


def test_groups_and_services_with_any_name_are_apart(stores: Stores) -> None:
    async def test() -> None:
        groups = ["a", "a b", "{a}", "a.*.>", "größe\n", "x" * 256]
        others = stores.add(f"{{{stores.name}}}.>")
        store = stores.add()
        for group in groups:
            await store.append(group, [group.encode()])
            await others.append(group, [b"of the other", b"service"])
        for group in groups:
            found = await store.read(group, "", 0)
            assert (found.offset, contents(found)) == (1, [group.encode()])

    stores.run(test)


# What a server may lose.


def test_a_restart_keeps_the_entries_and_ends_the_epoch_where_some_may_be_lost(
    own: Stores,
) -> None:
    async def test() -> None:
        store = own.add()
        ((epoch, _),) = await store.append("g", [b"a"])
        own.server.stop()
        assert await why_not(store.append("g", [b"nobody takes it"]))
        assert "nothing listens there" in await why_not(store.append("g", [b"nobody takes it"]))
        own.server.start()
        await works(store)
        found = await store.read("g", "", 0)
        assert contents(found) == [b"a"]
        # Redis says nothing about what it had not written yet; JetStream confirms what it keeps.
        assert (found.epoch == epoch) == (own.kind == "nats")
        assert await store.append("g", [b"b"]) == [(found.epoch, 2)]
        assert contents(await store.read("g", found.epoch, 1)) == [b"b"]

    own.run(test)


def test_lost_entries_end_the_epoch(own: Stores) -> None:
    async def test() -> None:
        store = own.add()
        places = await store.append("g", [b"a", b"b", b"c"])
        await lose_all(own, store)
        ((epoch, _),) = await store.append("g", [b"d"])
        assert epoch != places[0][0]
        assert contents(await store.read("g", epoch, 0))[-1:] == [b"d"]

    own.run(test)


async def lose_all(own: Stores, store: Any) -> None:
    """The server loses what it has kept, as when its memory is short or its disk is replaced."""
    if own.kind == "redis":
        await store._server.client.flushall()
    else:
        await store._server._jetstream.purge_stream(store._stream)


def test_a_hub_keeps_no_histories() -> None:
    with pytest.raises(NoBrokerError, match="keeps histories"):
        history_store("hub:///run/x", "test", StoreLimits(1, 1.0, 1))
