"""aiohttp, without compression and access log."""

import asyncio

from aiohttp import WSMsgType, web
from common import BACKLOG, BROADCAST, HOST, LOOK, port, run, tls

listeners: set[web.WebSocketResponse] = set()


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Sends every message back."""
    connection = web.WebSocketResponse(compress=False)
    await connection.prepare(request)
    async for message in connection:
        if message.type is WSMsgType.BINARY:
            await connection.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            await connection.send_str(message.data)
    return connection


async def look(request: web.Request) -> web.WebSocketResponse:
    """The same, but reads the request's path and header for each message."""
    connection = web.WebSocketResponse(compress=False)
    await connection.prepare(request)
    async for message in connection:
        if request.path == LOOK and request.headers.get("host"):
            await connection.send_bytes(message.data)
    return connection


async def tell_all(request: web.Request) -> web.WebSocketResponse:
    """Sends every message to all clients."""
    connection = web.WebSocketResponse(compress=False)
    await connection.prepare(request)
    listeners.add(connection)
    try:
        async for message in connection:
            for one in tuple(listeners):
                await one.send_bytes(message.data)
    finally:
        listeners.discard(connection)
    return connection


async def main() -> None:
    """Serves until it is ended."""
    app = web.Application()
    app.router.add_get("/", echo)
    app.router.add_get(LOOK, look)
    app.router.add_get(BROADCAST, tell_all)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port(), ssl_context=tls(), backlog=BACKLOG).start()
    await asyncio.Event().wait()


run(main())
