"""A process whose clients are asked to leave: what is handed over first, and its cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kit.waiting import DEADLINE
from lineman import Worker
from lineman.runtime import process_drain
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


def test_what_others_need_is_handed_over_before_a_client_is_asked() -> None:
    async def main() -> None:
        async with Drained() as process, connect(process.worker.url) as client:
            begun, may_go_on = asyncio.Event(), asyncio.Event()

            async def hand_over() -> None:
                begun.set()
                await may_go_on.wait()

            process.worker.before_drain = hand_over
            process.drain.begin(0.0, 1.0, True)
            await begun.wait()
            assert await process.is_refused()  # from the first moment on
            await client.send("still served")
            assert await client.recv() == "still served"
            may_go_on.set()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (process.drain.asked, process.drain.total) == (1, 1)

    run(main)


@pytest.mark.parametrize("is_silent", [False, True])
def test_what_cannot_be_handed_over_keeps_no_client(
    is_silent: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process_drain, "PATIENCE", 0.01)

    async def hand_over() -> None:
        if is_silent:
            await asyncio.Event().wait()
        raise LookupError("nobody takes it")

    async def main() -> None:
        async with Drained() as process, connect(process.worker.url) as client:
            process.worker.before_drain = hand_over
            process.drain.begin(0.0, 1.0, True)
            with pytest.raises(ConnectionClosed):
                await client.recv()

    run(main)
    assert "not everything was handed over" in caplog.text


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
