"""Tasks that the program made and nobody owns are named when the process ends."""

from __future__ import annotations

import asyncio

import pytest

from lineman.runtime import unowned_tasks
from lineman.scheduling.owned_tasks import OwnedTasks


async def countdown(seconds: float) -> None:
    await asyncio.sleep(seconds)


def test_each_is_named_once_with_its_number(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        made = [loop.create_task(countdown(1000)) for _ in range(3)]
        made.append(loop.create_task(countdown(1000), name="room 7"))
        done = loop.create_task(countdown(0))
        await done
        unowned_tasks.tell()

    asyncio.run(story())
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    words = record.getMessage()
    assert "countdown (3)" in words
    assert "room 7" in words
    assert "countdown (4)" not in words
    assert "fix: worker.spawn(coroutine, finish=True)" in words


def test_nothing_is_said_of_tasks_that_lineman_and_asyncio_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        owned = OwnedTasks("a worker", lambda name, error: None)
        owned.start(countdown(1000), "countdown", finish=False)
        waiting = loop.create_task(asyncio.wait_for(countdown(0), 1000))
        unowned_tasks.tell()
        assert list(unowned_tasks.names_of([waiting, None])) == []
        await waiting
        owned.cancel_all()

    asyncio.run(story())
    assert not caplog.records
