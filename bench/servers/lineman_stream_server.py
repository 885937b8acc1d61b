"""Lineman without HTTP: an echo as a user writes it, in one process and without a master.

python lineman_stream_server.py text|frame|tcp|udp PORT
"""

import asyncio
import sys

from common import HOST, run

from lineman import Connection, DatagramPeer, Worker

worker = Worker(f"{sys.argv[1]}://{HOST}:{sys.argv[2]}")


@worker.on_message
def answer(connection: Connection | DatagramPeer, message: str | bytes) -> None:
    """Echoes."""
    connection.send(message)


async def main() -> None:
    """Serves until it is ended."""
    await worker.start()
    await asyncio.Event().wait()


run(main())
