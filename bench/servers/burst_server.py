"""Lineman under `make soak`: sends each message to all clients, with a given slow-reader policy.

python burst_server.py PORT POLICY [CERT KEY]
"""

import asyncio
import sys

from common import HOST, run

from lineman import Connection, Worker

port, policy, *pair = sys.argv[1:]
scheme = "wss" if pair else "ws"
worker = Worker(f"{scheme}://{HOST}:{port}", slow_readers=policy)
if pair:
    worker.cert, worker.key = pair


@worker.on_message
def tell(connection: Connection, message: str | bytes) -> None:
    """Sends the message to all clients, with one key for all messages."""
    worker.broadcast(message, key="newest")


async def main() -> None:
    """Serves until it is ended."""
    await worker.start()
    await asyncio.Event().wait()


run(main())
