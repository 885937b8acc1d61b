"""Workers that join each client to a connection of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineman import Connection, connect


def joining(url: str, **options: Any) -> Callable[[Connection], Any]:
    """An `on_connect` that joins each client to a connection of its own to this server."""

    async def join(client: Connection) -> None:
        server = await connect(url, **options)
        client.pipe(server)
        server.pipe(client)

    return join
