"""A client that comes back: it listens to a service, and answers, whatever happens in between.

python examples/websocket_client.py ws://127.0.0.1:8282
"""

import asyncio
import sys

from lineman import Connection, connect


def hello(connection: Connection) -> None:
    connection.send("hello")  # at each new connection, before all that waits


async def main() -> None:
    async with connect(sys.argv[1], reconnect=True, on_open=hello) as line:
        async for message in line:
            print(message, flush=True)


asyncio.run(main())
