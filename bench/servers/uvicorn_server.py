"""uvicorn with an ASGI application without a framework, without compression."""

from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from common import BACKLOG, BROADCAST, HOST, LOOK, files, port

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

listeners: set[Send] = set()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Echoes, or sends to all clients."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == BROADCAST:
        listeners.add(send)
    try:
        await answer(scope, receive, send)
    finally:
        listeners.discard(send)


async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Receives messages until the client has left."""
    while (event := await receive())["type"] == "websocket.receive":
        reply = {"type": "websocket.send", "bytes": event.get("bytes"), "text": event.get("text")}
        if send in listeners:
            for one in tuple(listeners):
                await one(reply)
        elif scope["path"] == LOOK:
            if dict(scope["headers"]).get(b"host"):
                await send(reply)
        else:
            await send(reply)


pair = files()
uvicorn.run(
    app,
    host=HOST,
    port=port(),
    loop="uvloop",
    lifespan="off",
    log_level="error",
    access_log=False,
    backlog=BACKLOG,
    ws_per_message_deflate=False,
    ssl_certfile=None if pair is None else pair[0],
    ssl_keyfile=None if pair is None else pair[1],
)
