"""Lineman's `Gateway`: one process holds the clients, one runs this code.

BENCH_PORT=PORT BENCH_DIRECTORY=DIRECTORY [BENCH_BROKER=URL] python gateway_server.py start

Echoes every message; on the path `/b` it sends each message to the group of all who are on it, on
every node that has the same broker.
"""

import os
from pathlib import Path

from common import BROADCAST, HOST

from lineman import Client, Gateway, Worker

address = f"ws://{HOST}:{os.environ['BENCH_PORT']}"
gateway = Gateway(address, broker=os.environ.get("BENCH_BROKER"))


@gateway.on_connect
def enter(client: Client) -> None:
    """Notes who listens."""
    if client.request.path == BROADCAST:
        client.join("listeners")


@gateway.on_message
def answer(client: Client, message: str | bytes) -> None:
    """Echoes, or sends to the group."""
    if client.groups:
        gateway.send_to_group("listeners", message)
    else:
        client.send(message)


Worker.run_all(pid_file=Path(os.environ["BENCH_DIRECTORY"]) / f"{os.environ['BENCH_PORT']}.pid")
