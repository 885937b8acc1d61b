"""A process whose clients are asked to leave, and the cancellation of that."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kit.waiting import DEADLINE
from lineman import Worker
from lineman.runtime.process_drain import ProcessDrain

pytestmark = pytest.mark.usefixtures("no_traces")


class Drained:
    """A worker that runs in this loop, and its drain."""

    def __init__(self) -> None:
        self.worker = Worker("ws://127.0.0.1:0", close_timeout=0.2)
        self.worker.on_message = lambda connection, message: connection.send(message)
        self.drain = ProcessDrain(self.worker.runtime)

    async def __aenter__(self) -> Drained:
        await self.worker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drain.close()
        await self.worker.stop()

    async def is_refused(self) -> bool:
        try:
            async with connect(self.worker.url):
                return False
        except InvalidStatus as error:
            return error.response.status_code == 503


def run(main: Any) -> None:
    async def checked() -> None:
        async with asyncio.timeout(DEADLINE):
            await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(checked())


def test_new_clients_are_refused_from_the_first_moment_on() -> None:
    async def main() -> None:
        async with Drained() as process, connect(process.worker.url) as client:
            process.drain.begin(0.0, 1.0, True)
            assert await process.is_refused()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (process.drain.asked, process.drain.total) == (1, 1)

    run(main)


def test_a_cancelled_drain_asks_nobody_else_and_new_clients_are_served() -> None:
    async def main() -> None:
        async with Drained() as process, connect(process.worker.url) as client:
            process.drain.cancel()  # without one it does nothing
            process.drain.begin(600.0, 1.0, True)
            process.drain.cancel()
            assert not await process.is_refused()
            await client.send("still here")
            assert await client.recv() == "still here"
            assert (process.drain.asked, process.drain.total) == (0, 0)

    run(main)


def test_a_second_order_takes_the_place_of_the_first() -> None:
    async def main() -> None:
        async with Drained() as process, connect(process.worker.url) as client:
            process.drain.begin(600.0, 1.0, False)
            process.drain.begin(0.0, 1.0, True)
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert await process.is_refused()
            assert (process.drain.asked, process.drain.total) == (1, 1)

    run(main)


def test_a_drain_that_fails_at_one_worker_says_so_and_asks_the_clients_of_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Drained() as process, connect(process.worker.url):
            process.drain.begin(600.0, 1.0, False)
            (drain,) = process.drain._drains
            process.drain.cancel()
            ended = []

            async def fail() -> None:
                raise RuntimeError("it failed")

            async def end() -> None:
                await asyncio.sleep(0.02)
                ended.append(True)

            process.drain._drains = [replaced(drain, fail), replaced(drain, end)]
            await process.drain._run()
            assert ended == [True]

    run(main)
    assert "it failed" in caplog.text
    assert "lineman drain again" in caplog.text


def replaced(drain: Any, run: Any) -> Any:
    """A drain that runs otherwise."""
    other = copy.copy(drain)
    other.run = run
    return other
