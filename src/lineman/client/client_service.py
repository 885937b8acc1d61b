"""What client connections of one event loop share: those with the same limits are a service."""

from __future__ import annotations

import asyncio
from dataclasses import astuple
from typing import Any

from lineman.client.client_options import ClientPlan
from lineman.client.opening import OpenedLine
from lineman.net.connection.callbacks import Callback, Callbacks
from lineman.net.connection.connection import Connection
from lineman.net.connection.endpoint import Endpoint
from lineman.net.service import Service

_Key = tuple[asyncio.AbstractEventLoop, tuple[Any, ...]]
_services: dict[_Key, ClientService] = {}


class ClientService:
    """Serves client connections; it ends with the last of them.

    Args:
        plan: the first of those that share it.
        callbacks: get what comes; None where the program reads by `async for`.
        on_close: called at the end of each connection, as that of a worker.
        owner: what `connection.worker` gives back.
    """

    def __init__(
        self,
        plan: ClientPlan,
        callbacks: Callbacks | None = None,
        on_close: Callback | None = None,
        owner: object = None,
    ) -> None:
        self._is_read = callbacks is None
        callbacks = callbacks or Callbacks()
        callbacks.on_close = on_close
        callbacks.ended = self._note_end
        self._service = Service(owner, callbacks, plan.limits)
        self._ended: dict[Connection, asyncio.Event] = {}
        self._service.start()

    def begin(
        self, plan: ClientPlan, opened: OpenedLine, on_message: Callback | None = None
    ) -> Connection:
        """The connection.

        Args:
            plan: as it was opened.
            opened: its parts.
            on_message: gets its messages; None: they wait for `async for`, or are those of the
                service's callbacks.
        """
        target = plan.target
        endpoint = Endpoint(str(target), target.scheme, plan.factory)
        connection = Connection(self._service, endpoint, opened.fd, opened.peer)
        connection.subprotocol = opened.subprotocol
        self._ended[connection] = asyncio.Event()
        if on_message is not None:
            connection.on_message = on_message
        connection.begin_as_client(opened.session, opened.tls, opened.rest)
        if self._is_read and on_message is None:
            aiter(connection)  # what comes waits from now on
        return connection

    def _note_end(self, connection: Connection) -> None:
        self._ended.pop(connection).set()
        if not self._ended:
            for key, service in list(_services.items()):
                if service is self:
                    del _services[key]
            self._service.loop.call_soon(self._close)

    def _close(self) -> None:
        self._service.close()

    async def ended(self, connection: Connection) -> None:
        """Returns when the connection has ended."""
        event = self._ended.get(connection)
        if event is not None:
            await event.wait()


def service_for(plan: ClientPlan) -> ClientService:
    """The service for such connections in this event loop."""
    key = (asyncio.get_running_loop(), astuple(plan.limits))
    found = _services.get(key)
    if found is None:
        found = _services[key] = ClientService(plan)
    return found
