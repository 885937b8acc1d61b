"""When a process has done enough and asks to be replaced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit.waiting import DEADLINE
from lineman import Worker
from lineman.process.child import usage
from lineman.runtime.retirement import SPREAD, watch_limits
from lineman.testing.client import RawClient

pytestmark = pytest.mark.usefixtures("no_traces")

MIB = 1024 * 1024


def told_by(worker: Worker, *, messages: int = 0, take: int = 0) -> list[tuple[str, bool]]:
    """What a running worker asks for after so many messages, and so many bytes more."""
    told: list[tuple[str, bool]] = []
    worker.on_message = lambda connection, message: connection.send(message)

    def talk() -> None:
        with RawClient(worker.port).open() as client:
            for _ in range(messages):
                client.send("x")
                client.receive()

    async def run() -> None:
        await worker.start()
        watching = asyncio.create_task(
            watch_limits(worker.runtime, lambda *why: told.append(why), look=0.01)
        )
        await asyncio.sleep(0)  # it has looked how large a fresh process is
        taken = bytearray(b"x") * take
        if messages:
            await asyncio.to_thread(talk)
        if messages or take:
            await asyncio.wait_for(watching, DEADLINE)
        else:
            await asyncio.sleep(0.05)
        await worker.stop()
        await asyncio.wait_for(watching, DEADLINE)
        del taken

    asyncio.run(run())
    return told


def test_a_process_that_has_served_enough_asks_once() -> None:
    ((why, has_grown),) = told_by(Worker("ws://127.0.0.1:0", max_requests=50), messages=60)
    assert "(max_requests=50)" in why
    assert not has_grown
    assert 50 * (1 - SPREAD) <= int(why.split()[3]) <= 60


def test_a_process_that_has_grown_says_that_it_is_memory() -> None:
    most = usage.rss() + 32 * MIB
    worker = Worker("ws://127.0.0.1:0", max_memory=most)
    ((why, has_grown),) = told_by(worker, take=64 * MIB)
    assert f"bytes in memory (max_memory={most})" in why
    assert has_grown


def test_a_limit_that_a_fresh_process_has_passed_already_is_told_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert told_by(Worker("ws://127.0.0.1:0", max_memory=5 * MIB)) == []
    assert "max_memory=5242880 is less than the" in caplog.text
    assert "so it has no effect; fix: give at least max_memory=" in caplog.text


def test_a_process_without_a_limit_is_not_watched() -> None:
    async def run(running: Any) -> None:
        await asyncio.wait_for(watch_limits(running, lambda *why: None), DEADLINE)

    asyncio.run(run(Worker("ws://127.0.0.1:0").runtime))
