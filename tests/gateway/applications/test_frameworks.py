"""What Starlette, FastAPI and Channels make of a reload that keeps their clients."""

from __future__ import annotations

from typing import Any

import django
import pytest
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from fastapi import Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from kit.gateway import System
from kit.kept_apps import hold, reload, serve

if not settings.configured:
    settings.configure()
    django.setup()

RESUMED = "lineman.resumed"


def starlette(told: list[Any]) -> Any:
    class Endpoint(WebSocketEndpoint):
        encoding = "text"

        async def on_connect(self, websocket: Any) -> None:
            told.append(RESUMED in websocket.scope["extensions"])
            await websocket.accept()

        async def on_receive(self, websocket: Any, data: Any) -> None:
            await websocket.send_text(data.upper())

        async def on_disconnect(self, websocket: Any, close_code: int) -> None:
            told.append(close_code)

    return Starlette(routes=[WebSocketRoute("/", Endpoint)])


def fastapi(told: list[Any]) -> Any:
    app = FastAPI()

    async def session() -> Any:
        told.append("opened")
        yield "session"
        told.append("closed")

    async def talk(websocket: WebSocket, found: str = Depends(session)) -> None:
        told.append(RESUMED in websocket.scope["extensions"])
        await websocket.accept()
        try:
            while True:
                await websocket.send_text((await websocket.receive_text()).upper())
        except WebSocketDisconnect as left:
            told.append(left.code)

    # The annotations of a nested function are strings here, which FastAPI looks up at its module.
    talk.__annotations__.update(websocket=WebSocket, found=str)
    app.add_api_websocket_route("/", talk)
    return app


def channels(told: list[Any]) -> Any:
    class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def connect(self) -> None:
            told.append(RESUMED in self.scope["extensions"])
            await self.accept()

        async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
            await self.send(text_data=text_data.upper())

        async def disconnect(self, code: int) -> None:
            told.append(code)

    return Consumer.as_asgi()


@pytest.mark.parametrize(
    ("make", "before", "after"),
    [
        (starlette, [False, 1012], [True]),
        (fastapi, ["opened", False, 1012, "closed"], ["opened", True]),
        (channels, [False, 1012], [True]),
    ],
)
def test_an_application_ends_and_begins_again_and_its_client_stays(
    system: System, make: Any, before: list[Any], after: list[Any]
) -> None:
    hold(system)
    old: list[Any] = []
    new: list[Any] = []
    first = serve(system, make(old))
    client = system.connect()
    client.send("a")
    assert client.receive() == "A"
    reload(system, first, make(new))
    client.send("b")
    assert client.receive() == "B"
    assert old == before
    assert new == after
