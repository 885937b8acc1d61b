"""Lineman: a `Worker` as a user writes it, in one process and without a master beside it."""

import asyncio

from common import BROADCAST, HOST, LOOK, files, port, run

from lineman import Connection, Worker

pair = files()
scheme = "ws" if pair is None else "wss"
worker = Worker(f"{scheme}://{HOST}:{port()}")
if pair is not None:
    worker.cert, worker.key = pair
listeners: set[Connection] = set()


@worker.on_connect
def enter(connection: Connection) -> None:
    """Notes who listens."""
    if connection.request.path == BROADCAST:
        connection.data = True
        listeners.add(connection)
    elif connection.request.path == LOOK:
        connection.data = LOOK


@worker.on_close
def leave(connection: Connection) -> None:
    """Removes a client that has left."""
    listeners.discard(connection)


@worker.on_message
def answer(connection: Connection, message: str | bytes) -> None:
    """Echoes, or sends to all clients."""
    if not connection.data:
        connection.send(message)
    elif connection.data is LOOK:
        request = connection.request
        if request.path == LOOK and request.headers.get("host"):
            connection.send(message)
    else:
        worker.broadcast(message, to=listeners)


async def main() -> None:
    """Serves until it is ended."""
    await worker.start()
    await asyncio.Event().wait()


run(main())
