"""The fast path of messages between clients and business workers, in both directions."""

from __future__ import annotations

import logging

from lineman.base.loglimit import LogLimit
from lineman.errors import UsageError
from lineman.gateway.holder.client_deadlines import Guard
from lineman.gateway.holder.dispatch import Dispatch
from lineman.gateway.holder.held_client import HeldClient
from lineman.links import records
from lineman.links.link import Data, Link, RecordReceiver
from lineman.links.records import TEXT
from lineman.net.connection.connection import Connection

logger = logging.getLogger("lineman")


class ClientTraffic(RecordReceiver):
    """Messages between the clients of a gateway process and its links.

    Args:
        dispatch: gives a client's messages to its worker.
        guard: watches for silent clients; None if there is no limit.

    Attributes:
        clients: the clients by their numbers; see `forget`.
        delivered: messages given to clients.
    """

    __slots__ = ("_corking", "_dispatch", "_guard", "_last", "_log", "clients", "delivered")

    def __init__(self, dispatch: Dispatch, guard: Guard | None, log: LogLimit) -> None:
        self._log = log
        self._dispatch = dispatch
        self._guard = guard
        self._last: HeldClient | None = None  # the next record is mostly about the same client
        self._corking: Connection | None = None
        self.clients: dict[int, HeldClient] = {}
        self.delivered = 0

    def hear(self, connection: Connection, message: str | bytes) -> None:
        """Takes a message of a client: the `on_message` of its connection."""
        client: HeldClient | None = connection._data
        if client is None:
            return
        if self._guard is not None:
            self._guard.hear(client)
        self._dispatch.offer(client, message)

    def forget(self, number: int) -> None:
        """Removes a client's number, which is no longer valid."""
        self._last = None
        self.clients.pop(number, None)

    def _find(self, number: int) -> HeldClient | None:
        client = self._last
        if client is None or client.number != number:
            client = self._last = self.clients.get(number)
        return client

    # Records from a link.

    def on_record(
        self, link: Link, number: int, kind: int, data: Data, start: int, end: int
    ) -> None:
        """A message to a client; see `RecordReceiver`."""
        client = self._find(number)
        if client is None:
            return
        try:
            self._say(client.connection, kind, data, start, end)
        except UnicodeDecodeError:
            raise
        except UsageError as error:
            client.connection.note_unsendable(error)
        except Exception as error:
            self._log.exception(error, "a message of process %s could not be sent", link.peer)

    def _say(self, connection: Connection, kind: int, data: Data, start: int, end: int) -> None:
        is_text = kind == TEXT
        if is_text and not records.is_ascii(data, start, end - start):
            data[start:end].decode("utf-8")  # raises if a text is not UTF-8
        if self._corking is not connection:
            self._uncork()
            if connection.borrow_cork():
                self._corking = connection
        if connection.send_memory(is_text, data, start, end - start):
            self.delivered += 1
            return
        message = data[start:end].decode("utf-8") if kind == TEXT else bytes(data[start:end])
        if connection.is_open:
            self.delivered += connection.send(message)

    def on_done(self, link: Link, number: int, count: int) -> None:
        """Events of a client were handled; see `RecordReceiver`."""
        client = self._find(number)
        if client is not None:
            self._dispatch.acknowledge(link, client, count)

    def on_pause(self) -> None:
        """See `RecordReceiver`: sends what was collected for the last client."""
        self._uncork()

    def _uncork(self) -> None:
        if self._corking is not None:
            self._corking.return_cork()
            self._corking = None
