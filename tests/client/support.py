"""A server that comes and goes, for the tests of clients."""

from __future__ import annotations

from typing import Any

from kit.program import free_ports
from lineman import Connection, Request, Worker

QUICK: dict[str, Any] = {"first_delay": 0.02, "last_delay": 0.05, "reconnect": True}


class Server:
    """An echo server that a test starts and stops at one address."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.requests: list[Request] = []
        self.worker: Worker | None = None

    async def start(self) -> None:
        worker = self.worker = Worker(self.url)

        @worker.on_websocket_connect
        def note(connection: Connection, request: Request) -> None:
            self.requests.append(request)

        @worker.on_message
        def reply(connection: Connection, message: Any) -> None:
            if message == "go":
                connection.close(None, 4000, "gone")
            else:
                connection.send(message)

        await worker.start()

    async def stop(self) -> None:
        if self.worker is not None:
            await self.worker.stop(1.0)
            self.worker = None
