"""A task that is cancelled is told from one that awaited what was cancelled."""

from __future__ import annotations

import asyncio

from lineman.base.cancellation import is_cancelled_itself


def test_what_the_task_awaited_is_not_the_task_itself() -> None:
    async def main() -> bool:
        awaited = asyncio.get_running_loop().create_future()
        awaited.cancel()
        try:
            await awaited
        except asyncio.CancelledError:
            return is_cancelled_itself()
        raise AssertionError("the future is cancelled")

    assert not asyncio.run(main())


def test_a_task_that_somebody_cancels_is_cancelled_itself() -> None:
    seen: list[bool] = []

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append(is_cancelled_itself())
            raise

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(main())
    assert seen == [True]


def test_outside_of_a_task_nothing_is_cancelled() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        loop.call_soon(lambda: told.set_result(is_cancelled_itself()))
        assert await told is False

    asyncio.run(main())
