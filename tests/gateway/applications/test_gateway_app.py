"""A `Gateway` runs an application in place of callbacks."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.asgi_apps import hello
from lineman import ConfigError, Gateway
from lineman.client.connecting import connect
from lineman.testing.certificates import TestCA


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


def test_requests_and_websockets_over_tls_have_the_extension(tmp_path: Path) -> None:
    authority = TestCA(tmp_path)
    pair, own = (
        authority.issue("localhost"),
        authority.issue("phone", filename="phone", purpose="client"),
    )
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append((scope["type"], scope["extensions"].get("tls")))
        if scope["type"] == "http":
            await hello(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "hello"})
            await receive()

    async def check() -> None:
        files = {"cert": pair.cert, "key": pair.key, "ca_file": authority.ca_path}
        files["verify_client"] = "required"
        gateway = Gateway("wss://localhost:0", app=app, lifespan="off", **files)
        await gateway.start()
        context = ssl.create_default_context(cafile=authority.ca_path)
        context.load_cert_chain(own.cert, own.key)
        async with connect(gateway.url, tls=context) as line:
            assert await anext(aiter(line)) == "hello"
        url = gateway.url.replace("wss", "https")
        async with httpx.AsyncClient(verify=context) as client:
            assert (await client.get(url)).status_code == 200
        await gateway.stop()

    asyncio.run(asyncio.wait_for(check(), 30))
    (first, tls), (second, also) = found
    assert (first, second, tls) == ("websocket", "http", also)
    assert (tls["tls_version"], tls["client_cert_name"]) == (0x0304, "CN=phone")
    assert len(tls["client_cert_chain"]) >= 1


def test_callbacks_for_clients_beside_an_application_are_refused() -> None:
    async def check() -> None:
        gateway = Gateway("ws://127.0.0.1:0", app=print)
        gateway.on_message = lambda client, message: None
        with pytest.raises(ConfigError, match="has an app and on_message"):
            await gateway.start()

    asyncio.run(check())
