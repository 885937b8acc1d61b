"""Stores of durable histories for the tests, at real servers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from brokers.support import url_of
from kit.brokers import RedisClusterServer, Server, nats_server, redis_server
from kit.waiting import DEADLINE, nothing_is_open, until
from lineman.brokers.broker_address import explain
from lineman.brokers.choice import history_store
from lineman.brokers.history_store import HistoryStore, StoreLimits

T = TypeVar("T")
AnyServer = Server | RedisClusterServer


def storing_server(kind: str, directory: Path) -> AnyServer:
    """A server of a kind that keeps what it is given over a restart; it is not started yet."""
    if kind == "redis-cluster":
        return RedisClusterServer(directory)
    if kind == "redis":
        return redis_server(directory, "--appendonly", "yes", "--appendfsync", "always")
    return nats_server("-js", "-sd", str(directory))


class Stores:
    """Stores at one server, each test with a service's name of its own."""

    def __init__(self, kind: str, server: AnyServer) -> None:
        self.kind = kind
        self.server = server
        self.url = url_of(kind, server)
        self.name = f"service {secrets.token_hex(4)}"
        self._open: list[HistoryStore] = []

    def add(self, name: str = "", **limits: Any) -> HistoryStore:
        given = {"messages": 100, "seconds": 300.0, "max_bytes": 1 << 20, **limits}
        store = history_store(self.url, name or self.name, StoreLimits(**given))
        self._open.append(store)
        return store

    def run(self, test: Callable[[], Awaitable[T]]) -> T:
        """Runs a test when the server answers, and closes the stores."""

        async def whole() -> T:
            store = self.add()
            await works(store)
            try:
                return await test()
            finally:
                for each in self._open:
                    await each.close()
                self._open.clear()

        return asyncio.run(whole())


async def works(store: HistoryStore) -> None:
    """Returns as soon as a store takes entries."""

    async def again() -> None:
        while True:
            try:
                return await store.check()
            except Exception:
                await asyncio.sleep(0.02)

    await asyncio.wait_for(again(), DEADLINE)


async def why_not(refused: Awaitable[Any]) -> str:
    """Why something does not work, in words; empty if it does."""
    try:
        await refused
    except Exception as error:
        return explain(error)
    return ""


def contents(found: Any) -> list[bytes]:
    return [content for _, content in found.entries]


def refusal(url: str) -> str:
    """Why a store does not work, in words."""

    async def test() -> str:
        store = history_store(url, "test", StoreLimits(100, 300.0, 1000))
        try:
            return await why_not(store.check())
        finally:
            await store.close()
            await until(nothing_is_open)  # TLS says goodbye to a server that takes its time

    return asyncio.run(test())
