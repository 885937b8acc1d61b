"""websockets, its asyncio server, without compression."""

import asyncio

from common import BACKLOG, BROADCAST, HOST, LOOK, port, run, tls
from websockets.asyncio.server import ServerConnection, broadcast, serve

listeners: set[ServerConnection] = set()


async def answer(connection: ServerConnection) -> None:
    """Echoes, or sends to all clients."""
    if connection.request is not None and connection.request.path == BROADCAST:
        listeners.add(connection)
        try:
            async for message in connection:
                broadcast(listeners, message)
        finally:
            listeners.discard(connection)
    elif connection.request is not None and connection.request.path.startswith(LOOK):
        async for message in connection:
            request = connection.request
            if request.path.startswith(LOOK) and request.headers.get("host"):
                await connection.send(message)
    else:
        async for message in connection:
            await connection.send(message)


async def main() -> None:
    """Serves until it is ended."""
    async with serve(answer, HOST, port(), ssl=tls(), compression=None, backlog=BACKLOG):
        await asyncio.Event().wait()


run(main())
