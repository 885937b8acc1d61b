"""The time that the coroutines of one turn of asyncio's have together."""

from __future__ import annotations

import asyncio
import time

from lineman.base import tasktime
from lineman.base.tasktime import TASK_TIME


def test_all_tasks_of_a_turn_have_one_time_and_the_next_turn_has_another() -> None:
    async def ask() -> list[bool]:
        first, second = tasktime.running(), tasktime.running()
        said = [first.is_over()]
        end = time.perf_counter() + 1.5 * TASK_TIME
        while time.perf_counter() < end:
            pass
        said += [first.is_over(), second.is_over()]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [*said, second.is_over()]

    for _ in range(2):  # each loop has its own
        assert asyncio.run(ask()) == [False, True, True, False]
