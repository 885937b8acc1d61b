"""Tells business workers when what they have sent to a client has left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from lineman.errors import ConnectionLost
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.wire.messages import AskRoom, HasRoom
from lineman.links.link import Link


class ClientRoom:
    """The business workers that wait for clients of one gateway process.

    Args:
        clients: the clients by their numbers.
    """

    def __init__(self, clients: Mapping[int, HeldClient]) -> None:
        self._loop = asyncio.get_running_loop()
        self._clients = clients
        self._waiting: set[asyncio.Task[None]] = set()

    def on_ask(self, link: Link, ask: AskRoom) -> None:
        """Answers when the client has read, and not if it leaves."""
        client = self._clients.get(ask.number)
        if client is None:
            return
        client.connection.flush()
        if not client.connection.unsent:
            link.post(HasRoom(ask.number))
            return
        task = self._loop.create_task(self._wait(link, client))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _wait(self, link: Link, client: HeldClient) -> None:
        try:
            await client.connection.drain()
        except ConnectionLost:
            return  # the worker learns that the client has left
        link.post(HasRoom(client.number))

    def stop(self) -> None:
        """Ends what waits."""
        for task in self._waiting:
            task.cancel()
