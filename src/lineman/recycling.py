"""When a process has done enough and asks to be replaced."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from lineman.process import usage

if TYPE_CHECKING:
    from lineman.worker import Worker

LOOK = 1.0
# Processes that started together shall not all be replaced together.
SPREAD = 0.1


async def watch_limits(worker: Worker, renew: Callable[[str], None]) -> None:
    """Asks once for a replacement when `max_requests` or `max_memory` is passed.

    Args:
        worker: which runs in this process.
        renew: takes the reason.
    """
    if not worker.max_requests and not worker.max_memory:
        return
    enough = worker.max_requests * random.uniform(1 - SPREAD, 1 + SPREAD)
    while True:
        await asyncio.sleep(LOOK)
        service = worker.service
        if service is None:
            return
        served = service.tally.carried(service.connections.values())[0] + service.plain_requests
        if worker.max_requests and served >= enough:
            renew(f"it has served {served} requests (max_requests={worker.max_requests})")
            return
        if worker.max_memory and (used := usage.rss()) >= worker.max_memory:
            renew(f"it has {used} bytes in memory (max_memory={worker.max_memory})")
            return
