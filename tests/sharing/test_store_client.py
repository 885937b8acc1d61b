"""A process asks the store of the hub: answers, waits, and what happens when the hub ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kit.waiting import until
from lineman.errors import NotReachedError, RefusedError
from lineman.sharing import store_client
from lineman.sharing.store_client import StoreClient
from lineman.sharing.store_messages import StoreReply, StoreRequest
from lineman.sharing.store_server import StoreServer


def served(directory: Path, test: Callable[[StoreServer, str], Awaitable[None]]) -> None:
    async def main() -> None:
        server, path = StoreServer(), str(directory / "store")
        await server.start(path)
        await test(server, path)
        server.stop()
        await until(lambda: not server._links)

    asyncio.run(main())


def test_two_processes_see_one_another_s_values(tmp_path: Path) -> None:
    async def test(server: StoreServer, path: str) -> None:
        one, other = StoreClient(path), StoreClient(path)
        assert (await one.ask(StoreRequest(0, "set", "k", b"mx"))).outcome == "done"
        assert (await other.ask(StoreRequest(0, "get", "k"))).value == b"mx"
        assert server.keys == 1
        replies = await asyncio.gather(
            *(client.ask(StoreRequest(0, "increment", "n", by=1)) for client in [one, other] * 100)
        )
        assert sorted(int(reply.value) for reply in replies) == list(range(1, 201))
        await one.close()
        await other.close()

    served(tmp_path, test)


def test_a_hub_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        client = StoreClient(str(tmp_path / "store"))
        asking = asyncio.create_task(client.ask(StoreRequest(0, "get", "k")))
        await asyncio.sleep(0)
        server = StoreServer()
        await server.start(str(tmp_path / "store"))
        assert (await asking).outcome == "not done"
        await client.close()
        server.stop()

    asyncio.run(main())


def test_a_hub_that_does_not_answer_is_an_error_in_words(tmp_path: Path) -> None:
    async def main() -> None:
        client = StoreClient(str(tmp_path / "store"), timeout=0.05)
        with pytest.raises(NotReachedError, match=r"has not answered within 0\.05 s"):
            await client.ask(StoreRequest(0, "get", "k"))
        assert client._waiting == {}
        await client.close()

    asyncio.run(main())


def test_a_hub_that_ends_fails_what_waits_and_the_next_one_is_found(tmp_path: Path) -> None:
    async def test(server: StoreServer, path: str) -> None:
        client = StoreClient(path)
        await client.ask(StoreRequest(0, "set", "k", b"mx"))
        apply = server._store.apply

        def end_first(request: StoreRequest) -> StoreReply:
            (link,) = server._links
            link.close()
            return apply(request)

        ends: Any = server
        ends._store.apply = end_first
        with pytest.raises(NotReachedError, match="this operation may have been done"):
            await client.ask(StoreRequest(0, "get", "k"))
        ends._store.apply = apply
        assert (await client.ask(StoreRequest(0, "get", "k"))).value == b"mx"
        await client.close()
        with pytest.raises(NotReachedError, match="this process ends"):
            await client.ask(StoreRequest(0, "get", "k"))

    served(tmp_path, test)


def test_too_many_operations_at_a_time_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_client, "MAX_WAITING", 3)

    async def test(server: StoreServer, path: str) -> None:
        client = StoreClient(path)
        asked = [client.ask(StoreRequest(0, "get", "k")) for _ in range(5)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) is RefusedError for each in found] == [False] * 3 + [True] * 2
        await client.close()

    served(tmp_path, test)
