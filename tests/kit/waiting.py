"""Waits for a condition, and never for a guessed time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

# An upper bound on every wait, far above the time that any of them needs: no test expects a speed.
DEADLINE = 30.0
PAUSE = 0.005


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Returns as soon as a condition is true."""
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(PAUSE)


async def until(is_so: Callable[[], object]) -> None:
    """Returns as soon as a condition is true; meanwhile the event loop runs."""

    async def wait() -> None:
        while not is_so():
            await asyncio.sleep(PAUSE)

    await asyncio.wait_for(wait(), DEADLINE)


def nothing_is_open() -> bool:
    """Whether the running loop watches nothing but its own pipe."""
    loop: Any = asyncio.get_running_loop()
    return len(loop._selector.get_map()) == 1
