"""The functions of a gateway for the client whose callback is running."""

from __future__ import annotations

import asyncio
from typing import Any

from lineman import Gateway
from lineman.client.connecting import connect


def test_they_are_about_the_client_whose_callback_is_running() -> None:
    async def check() -> None:
        gateway = Gateway("ws://127.0.0.1:0")
        found: list[Any] = []

        @gateway.on_message
        def message(client: Any, text: str) -> None:
            found.append(gateway.current_client is client)
            gateway.send_to_current_client(text.upper())
            gateway.close_current_client("bye", 4000)

        await gateway.start()
        async with connect(gateway.url) as line:
            line.send("a")
            assert [text async for text in line] == ["A", "bye"]
        assert found == [True]
        assert gateway.current_client is None
        await gateway.stop()

    asyncio.run(asyncio.wait_for(check(), 30))
