"""Durable histories of a node whose store is in memory, and fails when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lineman.brokers.history_store import HistoryStore, StoredEntries, StoreLimits
from lineman.brokers.signing import Signer
from lineman.gateway.holder.durable_histories import DurableHistories
from lineman.gateway.holder.home_histories import HomeCalls
from lineman.gateway.wire.messages import Deliver


class Memory(HistoryStore):
    """A store in memory that fails, waits and forgets when a test says so."""

    def __init__(self) -> None:
        super().__init__("redis://memory", StoreLimits(100, 300.0, 1000))
        self.epoch = "e1"
        self.kept: dict[str, list[bytes]] = {}
        self.error: BaseException | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.calls = 0

    async def check(self) -> None:
        if self.error is not None:
            raise self.error

    async def append(self, group: str, contents: Sequence[bytes]) -> list[tuple[str, int]]:
        self.calls += 1
        await self.may_go_on.wait()
        await self.check()
        kept = self.kept.setdefault(group, [])
        kept += contents
        last = len(kept)
        return [(self.epoch, offset) for offset in range(last - len(contents) + 1, last + 1)]

    async def read(self, group: str, epoch: str, offset: int) -> StoredEntries:
        await self.check()
        kept = self.kept.get(group)
        if kept is None:
            return StoredEntries()
        after = offset if epoch == self.epoch else 0
        entries = [(number, each) for number, each in enumerate(kept, 1) if number > after]
        return StoredEntries(self.epoch, len(kept), 1, entries)

    async def close(self) -> None:
        """Nothing is open."""


class Kept:
    """Durable histories of a node, what they deliver and what they tell."""

    def __init__(self, secret: str | None = None) -> None:
        self.store = Memory()
        self.delivered: list[Deliver] = []
        self.told: list[tuple[str, str, str]] = []
        calls = HomeCalls(
            "me",
            lambda group: "me",
            lambda node, seen: None,
            self.delivered.append,
            lambda *gap: self.told.append(gap),
            asyncio.get_running_loop().time,
        )
        self.histories = DurableHistories(self.store, Signer(secret), calls)


def run(test: Callable[[Kept], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        kept = Kept(**options)
        await kept.histories.start()
        try:
            await test(kept)
        finally:
            await kept.histories.stop()

    asyncio.run(whole())
