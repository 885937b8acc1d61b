"""Asks the master to replace a process that has passed `max_requests` or `max_memory`."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from lineman.process.child import usage
from lineman.runtime.running_worker import RunningWorker

logger = logging.getLogger("lineman")

LOOK = 1.0
# The part by which the limits vary, so that processes are not all replaced at the same time.
SPREAD = 0.1


async def watch_limits(
    running: RunningWorker, renew: Callable[[str, bool], None], look: float = LOOK
) -> None:
    """Asks once for a replacement when `max_requests` or `max_memory` is passed.

    Args:
        running: the worker that runs in this process.
        renew: gets the reason, and whether it is the memory.
        look: seconds between two looks.
    """
    worker = running.worker
    if not worker.max_requests and not worker.max_memory:
        return
    most = worker.max_memory
    if most and (fresh := usage.rss()) >= most:
        # Its successor would be as large, so a replacement would close clients in vain.
        logger.warning(
            "max_memory=%d is less than the %d bytes that a fresh process of this program has in "
            "memory, so it has no effect; fix: give at least max_memory=%d",
            most, fresh, 2 * fresh,
        )  # fmt: skip
        most = 0
    enough = worker.max_requests * random.uniform(1 - SPREAD, 1 + SPREAD)
    while True:
        await asyncio.sleep(look)
        service = running.service
        if service is None:
            return
        served = service.tally.carried(service.connections.values())[0] + service.plain_requests
        if worker.max_requests and served >= enough:
            renew(f"it has served {served} requests (max_requests={worker.max_requests})", False)
            return
        if most and (used := usage.rss()) >= most:
            renew(f"it has {used} bytes in memory (max_memory={most})", True)
            return
