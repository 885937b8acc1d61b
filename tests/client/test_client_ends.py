"""How connections of `connect` end, whatever the program sets on them."""

from __future__ import annotations

import asyncio

from kit.waiting import until
from lineman import Worker, connect
from lineman.client import client_service


def test_a_line_with_an_on_close_of_its_own_ends_as_any_other(no_traces: None) -> None:
    ended: list[int] = []

    async def main() -> None:
        worker = Worker("ws://127.0.0.1:0")
        worker.on_message = lambda connection, message: connection.send(message)
        await worker.start()
        async with connect(worker.url) as line:
            line.on_close = lambda connection, code: ended.append(code)
            line.send("hello")
            assert await anext(aiter(line)) == "hello"
        assert ended == [1000]
        await worker.stop()
        await until(lambda: not client_service._services)

    asyncio.run(asyncio.wait_for(main(), 20))
