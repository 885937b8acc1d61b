"""An application in a process that serves it: calls it, and tells what goes wrong with it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from lineman.asgi import scopes, tls_extension
from lineman.asgi.app_calls import AppCall
from lineman.asgi.http_exchange import HttpExchange
from lineman.asgi.lifespan import Lifespan
from lineman.asgi.websocket_exchange import WebsocketExchange, on_close, on_message
from lineman.base import progress
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.context import ConnectionContext
from lineman.net.loop import syscalls
from lineman.protocols.http.http_messages import Request
from lineman.protocols.proxies.forwarded import UNKNOWN
from lineman.protocols.websocket.handshake import offered_subprotocols

# Seconds that a call may go on after its client has gone before the log names it.
LINGERING = 30.0
# Calls that the log names of those.
_NAMED = 3


class ServedApp:
    """One application, as the connections of a service call it (`AppCalls`).

    Args:
        app: an ASGI 3 application.
        name: its name in messages.
        service: whose connections call it.
        lifespan: of the application; requests get a copy of its state.
        root_path: where it is mounted.
        takes_websockets: whether it opens websockets; else the program does.
    """

    def __init__(
        self,
        app: Any,
        name: str,
        service: ConnectionContext,
        lifespan: Lifespan,
        root_path: str = "",
        takes_websockets: bool = True,
    ) -> None:
        self.app = app
        self.name = name
        self.service = service
        self.loop: asyncio.AbstractEventLoop = service.loop
        self.takes_requests = True
        self.takes_websockets = takes_websockets
        self.root_path = root_path.rstrip("/")
        self.websocket_callbacks = callbacks = Callbacks()
        callbacks.on_message = on_message
        callbacks.on_close = on_close
        self._lifespan = lifespan
        self._calls = 0
        self._left: dict[AppCall, float] = {}  # calls whose clients have gone, with the time
        self._is_looking = False

    # Calls.

    def begin_request(self, stage: Any, connection: Any, request: Request) -> HttpExchange:
        """Calls the application for a request."""
        _address(request, connection)
        scope = scopes.http_scope(
            request,
            _server(stage, connection),
            self.root_path,
            self._lifespan.state,
            None if connection.tls is None else tls_extension.facts(connection.tls),
        )
        exchange = HttpExchange(self, scope, stage, connection, request.body)
        self._begin(exchange, exchange.run())
        return exchange

    def begin_websocket(self, stage: Any, connection: Any, request: Request) -> WebsocketExchange:
        """Calls the application for a handshake."""
        _address(request, connection)
        scope = self.websocket_scope(request, _server(stage, connection), connection.tls)
        exchange = WebsocketExchange(self, scope, stage, connection)
        self.begin(exchange)
        return exchange

    def websocket_scope(
        self, request: Request, server: tuple[str, int | None] | None, tls: Any
    ) -> dict[str, Any]:
        """The scope of a websocket.

        Args:
            request: its handshake.
            server: where it has come in.
            tls: of its connection; None without it.
        """
        return scopes.websocket_scope(
            request,
            server,
            self.root_path,
            self._lifespan.state,
            None if tls is None else tls_extension.facts(tls),
            offered_subprotocols(request),
        )

    def begin(self, exchange: WebsocketExchange) -> None:
        """Calls the application for a websocket."""
        self._begin(exchange, exchange.run())

    def is_full(self) -> bool:
        """Whether as many calls are under way as `max_connections` allows."""
        return 0 < self.service.limits.max_connections <= self._calls

    def _begin(self, exchange: AppCall, coroutine: Any) -> None:
        self._calls += 1
        exchange.task = self.loop.create_task(coroutine)
        self.service.hold(exchange.task)

    def let_go(self, exchange: AppCall) -> None:
        """A call is over."""
        self._calls -= 1
        self.service.let_go(exchange.task)
        if self._left:
            self._left.pop(exchange, None)
        progress.note()

    # What goes wrong.

    def is_ending(self, error: BaseException) -> bool:
        """Whether this is the end that the service has put to a call."""
        is_over = self.service.is_stopping or self.service.poller.is_closed
        return is_over and isinstance(error, (asyncio.CancelledError, GeneratorExit))

    def tell_failure(self, exchange: AppCall, error: BaseException, how: str) -> None:
        """Logs and counts what a call has raised."""
        self.service.log.exception(error, "%s %s", exchange, how)
        self.service.exceptions += 1

    def tell_unfinished(self, exchange: AppCall, what: str) -> None:
        """Logs and counts a call that has returned too early."""
        self.service.exceptions += 1
        kind = "applications that return too early"
        self.service.log.log(logging.ERROR, kind, "%s returned %s", exchange, what)

    def tell_result(self, exchange: AppCall, result: object) -> None:
        """Logs that a call has returned something, which nobody uses."""
        self.service.log.log(
            logging.WARNING,
            "applications that return something",
            "%s returned %s, and ASGI wants nothing; is it an application of another standard?",
            exchange,
            type(result).__name__,
        )

    def note_left(self, exchange: AppCall) -> None:
        """Notes that the client of a call has gone: a call that goes on should end by itself."""
        if exchange.task is not None and exchange.task.done():
            return
        self._left.setdefault(exchange, self.loop.time())
        if not self._is_looking:
            self._is_looking = True
            self.loop.call_later(LINGERING / 2, self._look)

    def _look(self) -> None:
        """Names the calls that go on long after their clients have gone, once each."""
        self._is_looking = False
        due = self.loop.time() - LINGERING
        late = [each for each, since in self._left.items() if since <= due]
        for each in late[:_NAMED]:
            self.service.log.log(
                logging.WARNING,
                "applications that ignore the end",
                "%s goes on %g s after its client has gone; ASGI: receive() then gives a "
                "disconnect, and send() raises OSError",
                each,
                LINGERING,
            )
        for each in late:
            del self._left[each]
        if self._left and not self.service.poller.is_closed:
            self._is_looking = True
            self.loop.call_later(LINGERING / 2, self._look)


def _address(request: Request, connection: Any) -> None:
    if request.remote_ip in ("unix", UNKNOWN):
        request.remote_ip = "" if request.remote_ip == "unix" else connection.peer[0]


def _server(stage: Any, connection: Any) -> tuple[str, int | None] | None:
    """Where the requests of a connection come in."""
    if stage.server is None:
        try:
            host, port = syscalls.local_address(connection.fd)
        except OSError:
            return None
        if host == "unix":
            address = connection.listen_address
            stage.server = (address.partition("://")[2], None)
        else:
            stage.server = (host, port)
    server: tuple[str, int | None] = stage.server
    return server
