"""Callbacks that run while a business worker retires: it waits, and says what it cuts off."""

from __future__ import annotations

import asyncio

import pytest

from lineman.gateway.business.running_callbacks import RunningCallbacks


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def stubborn() -> None:
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            return


def test_it_waits_for_all_that_run_and_then_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        running = RunningCallbacks()
        for _ in range(20):
            running.start("on_uid_online", sleep(0.02))
        await running.wait(30)
        assert not running.names
        await running.cut_off(30)

    asyncio.run(story())
    assert not caplog.records


def test_what_is_cut_off_is_named_with_its_number(caplog: pytest.LogCaptureFixture) -> None:
    async def next_one(running: RunningCallbacks) -> None:
        await asyncio.sleep(0)
        running.go_on("on_close")
        await asyncio.sleep(1000)

    async def story() -> None:
        running = RunningCallbacks()
        running.start("on_uid_online", sleep(1000))
        running.start("on_uid_online", stubborn())
        running.start("on_message", next_one(running))
        await running.wait(0.05)
        assert len(running.names) == 3
        await running.cut_off(0.05)
        assert not running.names

    asyncio.run(story())
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "has waited 0.05 s" in record.getMessage()
    assert "cuts them off: on_uid_online (2), on_close; fix: " in record.getMessage()


def test_a_wait_without_time_returns_at_once() -> None:
    async def story() -> None:
        running = RunningCallbacks()
        await running.wait(-1)
        running.start("on_message", sleep(1000))
        await running.wait(-1)
        await running.cut_off(0)

    asyncio.run(asyncio.wait_for(story(), 20))
