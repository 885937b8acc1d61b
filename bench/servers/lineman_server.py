"""Lineman: a `Worker` as a user writes it."""

import asyncio
import signal

from common import BROADCAST, HOST, files, port

from lineman import Connection, Worker
from lineman.child import loop_factory

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


@worker.on_close
def leave(connection: Connection) -> None:
    """Forgets who has gone."""
    listeners.discard(connection)


@worker.on_message
def answer(connection: Connection, message: str | bytes) -> None:
    """Echoes, or tells everybody."""
    if connection.data:
        worker.broadcast(message, to=listeners)
    else:
        connection.send(message)


async def serve() -> None:
    """Serves in this one process: what is measured is the worker, without a master beside it."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await worker.start()
    await stopped.wait()
    await worker.stop()


with asyncio.Runner(loop_factory=loop_factory()) as runner:
    runner.run(serve())
