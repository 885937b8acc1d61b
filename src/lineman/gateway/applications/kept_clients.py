"""Runs an application for the clients of a business worker, and hands them on when it retires.

A reload moves all clients at once, so that those who talk with one another by the memory of a
worker miss nothing: nobody gets a new message; the old application handles those that it has, and
sees the end of every websocket; the new one gets all clients; then the messages go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lineman.asgi.served_app import ServedApp
from lineman.base import progress
from lineman.base.loglimit import LogLimit
from lineman.errors import UsageError
from lineman.gateway.applications.answered_requests import AnsweredRequests
from lineman.gateway.applications.kept_connection import SUBPROTOCOL, AppDecision, KeptConnection
from lineman.gateway.applications.kept_exchange import KeptExchange
from lineman.gateway.business.business_worker import Business
from lineman.gateway.business.gateway_client import Client
from lineman.gateway.wire.messages import HasRoom
from lineman.links.framing import Message
from lineman.links.link import Link
from lineman.protocols.websocket import close as closing

logger = logging.getLogger("lineman")

# Seconds for which all clients wait for those whose application is busy, old or new.
TOGETHER = 3.0
# Seconds that a cancelled application has for its end.
LAST_WORDS = 1.0
# Seconds between two looks at whether applications are busy.
LOOK = 0.005

# What a scope has in `extensions`.
RESUMED = "lineman.resumed"
KEPT = "lineman.kept"


class KeptWebsocket:
    """A client, and the call of the application for it."""

    __slots__ = ("client", "connection", "exchange")

    def __init__(self, client: Client, connection: KeptConnection, exchange: KeptExchange) -> None:
        self.client = client
        self.connection = connection
        self.exchange = exchange

    @property
    def is_busy(self) -> bool:
        """Whether the application handles something, or has yet to."""
        return not self.exchange.is_idle or self.client.queue is not None


class KeptClients:
    """The websockets that an application serves in one business worker.

    Args:
        served: calls the application.
        business: the business worker.
        is_reload: whether another worker goes on with the clients of this one, which retires.
    """

    def __init__(
        self, served: ServedApp, business: Business, is_reload: Callable[[], bool]
    ) -> None:
        self._served = served
        self._business = business
        self._is_reload = is_reload
        self._loop = asyncio.get_running_loop()
        self._websockets: dict[Client, KeptWebsocket] = {}
        self._resuming = 0
        self._all_resumed = asyncio.Event()
        self._is_leaving = False
        self._log = LogLimit(logger)
        self._requests = AnsweredRequests(served)
        business.keeper = self

    # Events of clients.

    def callbacks(self) -> dict[str, Callable[..., Any]]:
        """The callbacks of the business worker."""
        return {
            "on_websocket_connect": self.on_websocket_connect,
            "on_connect": self.on_connect,
            "on_resume": self.on_resume,
            "on_message": self.on_message,
            "on_close": self.on_close,
        }

    async def on_websocket_connect(self, client: Client, request: object) -> None:
        """A client wants to open a websocket: the application decides."""
        decision = await self._begin(client, is_resumed=False)
        if decision.status:
            self._business.decide(client, status=decision.status, answer=decision.answer)
            return
        for name, value in decision.headers:
            client.add_header(name, value)
        if decision.subprotocol:
            client.choose_subprotocol(decision.subprotocol)
            client.session[SUBPROTOCOL] = decision.subprotocol

    def on_connect(self, client: Client) -> Awaitable[None] | None:
        """The websocket is open."""
        found = self._websockets.get(client)
        if found is None:  # the worker that has let it in retired at once
            return self.on_resume(client)
        found.connection.note_open()
        return None

    async def on_resume(self, client: Client) -> None:
        """An earlier worker has served the client: the application gets it again."""
        self._resuming += 1
        self._all_resumed.clear()
        try:
            decision = await self._begin(client, is_resumed=True)
        finally:
            self._resuming -= 1
            if not self._resuming:
                self._all_resumed.set()
        if decision.status:
            self._refuse(client, decision.why)
            return
        try:
            async with asyncio.timeout(TOGETHER):
                await self._all_resumed.wait()
        except TimeoutError:
            self._log.log(
                logging.WARNING,
                "clients that are not accepted",
                "%s has accepted %d clients again, and %d not within %g s; messages go on",
                self._served.name,
                len(self._websockets) - self._resuming,
                self._resuming,
                TOGETHER,
            )

    def _refuse(self, client: Client, why: str) -> None:
        self._log.log(
            logging.ERROR,
            "clients that were not taken over",
            "%s did not take over %r after a reload: %s; the client is closed with 1012",
            self._served.name,
            client,
            why,
        )
        client.close(code=closing.SERVICE_RESTART, reason="the service is restarting")

    def on_message(self, client: Client, message: str | bytes) -> Awaitable[None] | None:
        """A message of a client; returns something to wait for if it is not taken at once."""
        found = self._websockets.get(client)
        taken = None if found is None else found.exchange.offer(message)
        return None if taken is None else _until(taken)

    def on_close(self, client: Client, code: int, reason: str) -> None:
        """A client is gone."""
        if (found := self._websockets.get(client)) is not None:
            self._end(found, code, reason)

    def lose(self, client: Client) -> None:
        """See `ClientKeeper`."""
        if (found := self._websockets.get(client)) is not None:
            self._end(found, closing.ABNORMAL, "the client has gone")

    def _end(self, websocket: KeptWebsocket, code: int, reason: str) -> None:
        websocket.connection.note_end(code, reason)
        websocket.exchange.note_disconnected(code, reason)

    def take(self, link: Link, clients: Mapping[int, Client], message: Message) -> None:
        """See `ClientKeeper`."""
        if isinstance(message, HasRoom):
            client = clients.get(message.number)
            if client is not None and (found := self._websockets.get(client)) is not None:
                found.connection.give_room()
        elif (handler := self._requests.handlers.get(type(message))) is not None:
            handler(link, message)

    def leave_link(self, link: Link) -> None:
        """See `ClientKeeper`."""
        self._requests.leave_link(link)

    # The application.

    def _begin(self, client: Client, *, is_resumed: bool) -> Awaitable[AppDecision]:
        """Calls the application; what it decides follows."""
        connection = KeptConnection(client, is_resumed=is_resumed)
        request = client.request
        if request is None:
            raise UsageError("an application serves websockets alone")
        scope = self._served.websocket_scope(request, connection.server, client.tls)
        scope["extensions"][KEPT] = {"client_id": client.id}
        if is_resumed:
            scope["extensions"][RESUMED] = {}
        exchange = KeptExchange(self._served, scope, connection, connection)
        websocket = self._websockets[client] = KeptWebsocket(client, connection, exchange)
        self._served.begin(exchange)
        exchange.task.add_done_callback(lambda _: self._ended(websocket))
        return connection.decided

    def _ended(self, websocket: KeptWebsocket) -> None:
        if self._websockets.get(websocket.client) is websocket:
            del self._websockets[websocket.client]
        websocket.exchange.drop_held()
        websocket.connection.note_end(closing.NORMAL, "the application has ended")
        if self._is_leaving:
            self._let_go_ended()

    # The end of this worker.

    async def leave(self, seconds: float) -> None:
        """See `ClientKeeper`."""
        deadline = self._loop.time() + seconds
        together = min(self._loop.time() + TOGETHER, deadline)
        while self._loop.time() < together and self._is_busy():
            await asyncio.sleep(LOOK)
            progress.note()
        code = closing.SERVICE_RESTART if self._is_reload() else closing.GOING_AWAY
        websockets = list(self._websockets.values())
        for each in websockets:
            each.exchange.leave(code)
        await self._wait(min(together + TOGETHER, deadline))
        self._is_leaving = True
        self._let_go_ended()
        self._requests.end_events()
        for each in self._websockets.values():
            each.connection.stop_sending(code)
        await self._wait(deadline)
        await self._requests.wait(deadline - self._loop.time())
        for each in self._websockets.values():
            self._cut_off(each, seconds)
        await self._wait(self._loop.time() + LAST_WORDS)
        self._let_go_ended()

    def _is_busy(self) -> bool:
        return any(each.is_busy for each in self._websockets.values())

    async def _wait(self, until: float) -> None:
        tasks = [each.exchange.task for each in self._websockets.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, until - self._loop.time()))

    def _cut_off(self, websocket: KeptWebsocket, seconds: float) -> None:
        self._log.log(
            logging.WARNING,
            "applications that ignore a reload",
            "%r has not ended %g s after this worker began to retire (drain_seconds), and is "
            "cancelled; fix: end when receive() gives 'websocket.disconnect', or when send() "
            "raises",
            websocket.exchange,
            seconds,
        )
        websocket.connection.moves = True
        websocket.exchange.task.cancel()

    def _let_go_ended(self) -> None:
        """Leaves the clients whose application has ended to another worker."""
        if self._is_reload():
            served = self._websockets
            self._business.let_go([one for one in self._business.clients if one not in served])


async def _until(taken: asyncio.Future[None]) -> None:
    await taken
