"""A worker beside a test: its loop runs in a thread, and what goes wrong there is known here."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lineman import ConfigError, Worker
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

WS = "ws://127.0.0.1:0"


def test_functions_and_coroutines_run_in_the_workers_thread_and_give_back_what_they_do() -> None:
    async def later() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    def fail() -> None:
        raise KeyError("x")

    with Serving(Worker(WS)) as serving:
        there = serving.call(threading.get_ident)
        assert there == serving.run(later())
        assert there != threading.get_ident()
        with pytest.raises(KeyError):
            serving.call(fail)


def test_a_coroutine_that_takes_too_long_is_cancelled() -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            cancelled.set()

    with Serving(Worker(WS)) as serving:
        with pytest.raises(TimeoutError):
            serving.run(forever(), timeout=0.05)
        assert cancelled.wait(20)


def test_a_failed_task_that_nobody_waits_for_is_a_fault() -> None:
    async def begin() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)

    with Serving(Worker(WS)) as serving:
        serving.run(begin())
        serving.call(int)
    assert len(serving.faults) == 1
    assert "ZeroDivisionError" in serving.faults[0]


def test_after_the_block_nobody_listens_and_the_thread_is_gone() -> None:
    before = threading.active_count()
    with Serving(Worker(WS)) as serving:
        port = serving.port
        with RawClient(port) as client:
            client.open()
        serving.stop()
        serving.stop()  # as often as one likes
    with pytest.raises(ConnectionRefusedError):
        RawClient(port)
    assert threading.active_count() == before


def test_a_worker_that_refuses_to_start_says_why_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(ConfigError, match="count is 0"), Serving(Worker(WS, count=0)):
        pass
    assert threading.active_count() == before
