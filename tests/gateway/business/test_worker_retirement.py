"""A retiring worker waits until gateway processes give it no more events."""

from __future__ import annotations

import asyncio
from typing import Any

from lineman.gateway.business.worker_retirement import WorkerRetirement
from lineman.gateway.wire.messages import Retire


class Posted:
    def __init__(self) -> None:
        self.posted: list[Any] = []

    def post(self, message: Any) -> None:
        self.posted.append(message)


def test_it_waits_for_all_and_no_longer_than_it_may() -> None:
    async def check() -> None:
        links: Any = [Posted(), Posted()]
        retirement = WorkerRetirement()
        asking = asyncio.create_task(retirement.ask(links, 10))
        await asyncio.sleep(0)
        assert [each.posted for each in links] == [[Retire()], [Retire()]]
        retirement.note(links[0])
        assert not asking.done()
        retirement.note(links[1])
        await asking
        await retirement.ask([], 10)
        await WorkerRetirement().ask(links, 0.01)

    asyncio.run(check())
