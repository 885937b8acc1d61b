"""A `Gateway` runs an application in place of callbacks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lineman import ConfigError, Gateway
from lineman.client.connecting import connect


def test_a_gateway_runs_the_lifespan_and_serves_websockets() -> None:
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["name"] = "shared"
            for word in ("startup", "shutdown"):
                told.append((await receive())["type"])
                await send({"type": f"lifespan.{word}.complete"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        text = scope["state"]["name"] + scope["root_path"]
        await send({"type": "websocket.send", "text": text})
        while (event := await receive())["type"] == "websocket.receive":
            pass
        told.append(str(event["code"]))

    async def check() -> None:
        gateway = Gateway("ws://127.0.0.1:0", app=app, root_path="/api", lifespan="on")
        await gateway.start()
        async with connect(gateway.url) as line:
            assert await anext(aiter(line)) == "shared/api"
        while len(told) < 2:
            await asyncio.sleep(0.01)
        await gateway.stop()

    asyncio.run(asyncio.wait_for(check(), 30))
    assert told == ["lifespan.startup", "1000", "lifespan.shutdown"]


def test_callbacks_for_clients_beside_an_application_are_refused() -> None:
    async def check() -> None:
        gateway = Gateway("ws://127.0.0.1:0", app=print)
        gateway.on_message = lambda client, message: None
        with pytest.raises(ConfigError, match="has an app and on_message"):
            await gateway.start()

    asyncio.run(check())
