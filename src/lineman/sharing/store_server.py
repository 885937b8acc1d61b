"""Serves the shared values to the processes of a program, over a unix socket."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from lineman.links.link import Link
from lineman.links.rendezvous import Listeners
from lineman.sharing.store_messages import TO_STORE
from lineman.sharing.value_store import ValueStore


class StoreServer:
    """Keeps the shared values in this process; they are lost with it."""

    def __init__(self) -> None:
        self._store = ValueStore(asyncio.get_running_loop().time)
        self._links: set[Link] = set()
        self._listeners = Listeners()

    @property
    def keys(self) -> int:
        """How many keys there are."""
        return len(self._store)

    async def start(self, path: str) -> None:
        """Listens at a unix socket; a socket that an earlier process has left is replaced."""
        await self._listeners.add(self._make, path)

    def _make(self) -> Link:
        # It takes no requests of a process that does not read the answers.
        return Link(TO_STORE, self._on_batch, self._on_end, yields=True)

    def stop(self) -> None:
        """Ends all links."""
        self._listeners.close()
        for link in list(self._links):
            link.close()

    def _on_batch(self, link: Link, batch: list[Any]) -> None:
        if link not in self._links:
            if link.peer_uid() not in (None, 0, os.getuid()):
                link.fail(f"it runs as user {link.peer_uid()}, not as {os.getuid()}")
                return
            self._links.add(link)
        for request in batch:
            reply = self._store.apply(request)
            link.post(reply, len(reply.value))

    def _on_end(self, link: Link, reason: str) -> None:
        self._links.discard(link)
