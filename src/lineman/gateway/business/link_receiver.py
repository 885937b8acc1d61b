"""The clients of one gateway process in a business worker, and the fast path of their messages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from types import CoroutineType
from typing import Any, Protocol

from lineman.gateway.business.gateway_client import Client
from lineman.gateway.wire import names
from lineman.links.link import Data, Link, RecordReceiver
from lineman.links.records import TEXT

# The client whose callback is running, also in the tasks that the callback begins.
current: ContextVar[Client | None] = ContextVar("current client", default=None)


class EndsEvents(Protocol):
    """The business worker, which finishes the work after a callback has returned."""

    def end(self, client: Client, event: str | bytes) -> None:
        """The callback has returned: stores a changed session and acknowledges the event."""

    def work_off(
        self, client: Client, event: str | bytes, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        """Awaits an `async def` callback."""

    def note_failure(self, client: Client, event: str | bytes, error: BaseException) -> None:
        """The callback raised."""


class LinkReceiver(RecordReceiver):
    """Serves the messages of one link.

    Args:
        business: takes over callbacks that are `async def` or raise, and ends events.
        on_message: the program's callback; None where it has none.

    Attributes:
        clients: the clients by their numbers in the gateway process; see `forget`.
    """

    __slots__ = ("_business", "_last", "_on_message", "clients")

    def __init__(self, business: EndsEvents, on_message: Callable[..., Any] | None) -> None:
        self._business = business
        self._on_message = on_message
        self._last: Client | None = (
            None  # the client whose messages come now, and which is `current`
        )
        self.clients: dict[int, Client] = {}

    def forget(self, number: int) -> Client | None:
        """Removes a client's number, which is no longer valid; returns its client, if any."""
        self._last = None
        return self.clients.pop(number, None)

    def name_of(self, number: int) -> str:
        """The client with a number, as the log calls it."""
        client = self.clients.get(number)
        if client is None:
            return "a client that has gone"
        return names.uid_topic(client.uid) if client.uid else names.client_name(client.id)

    def on_record(
        self, link: Link, number: int, kind: int, data: Data, start: int, end: int
    ) -> None:
        """A message of a client; see `RecordReceiver`."""
        client = self._last
        if client is None or client.number != number:
            client = self.clients.get(number)
            if client is None:
                return
            self._last = client
            current.set(client)
        message = data[start:end].decode("utf-8") if kind == TEXT else bytes(data[start:end])
        if client.queue is not None:
            client.queue.append(message)  # in order, after the event that is being handled
        elif self._on_message is None:
            link.acknowledge(number)
        else:
            self._serve(link, client, message)

    def _serve(self, link: Link, client: Client, message: str | bytes) -> None:
        try:
            result = self._on_message(client, message)  # type: ignore[misc]  # there is one
        except BaseException as error:
            self._business.note_failure(client, message, error)
            result = None
        if result is not None and isinstance(result, CoroutineType):
            self._business.work_off(client, message, result)
        elif client._session is None:
            link.acknowledge(client.number)
        else:
            self._business.end(client, message)

    def on_pause(self) -> None:
        """See `RecordReceiver`: no callback is running now."""
        if self._last is not None:
            self._last = None
            current.set(None)
