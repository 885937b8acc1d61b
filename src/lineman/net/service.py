"""One worker's life in one process: its listening socket, its connections and what they share."""

from __future__ import annotations

import asyncio
import errno
import inspect
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lineman.net import preamble, syscalls
from lineman.net.callbacks import Callback, Callbacks
from lineman.net.connection import Connection
from lineman.net.limits import Limits
from lineman.net.loglimit import LogLimit
from lineman.net.outbox import SlowReaders
from lineman.net.poller import Handler, Poller
from lineman.net.wheel import GRANULARITY
from lineman.protocols.forwarded import TrustedProxies
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.handshake import OriginPolicy
from lineman.protocols.websocket.negotiation import DeflateOptions

logger = logging.getLogger("lineman")

# Accepted in one wake-up, so that a storm of connects does not starve those that are open.
ACCEPTS = 64
# Out of descriptors: look again after this time instead of spinning on the ready listener.
ACCEPT_PAUSE = 0.5
# A callback that keeps the loop for longer is worth a line in the log.
SLOW_LOOP = 1.0


class Service:
    """Accepts connections and serves them inside the running event loop.

    Args:
        owner: what `connection.worker` gives back.
        callbacks: the program's functions; looked up live.
        limits: sizes and times.
        tls_context: None for plain ws.
        origins: who may connect from a browser.
        subprotocols: what may be agreed on, best first.
        trusted_proxies: whose word on the client's address counts.
        real_ip_header: the one header in which they say it; None for whichever they agree in.
        compression: how messages may be compressed; None for not at all.
        slow_readers: what happens to a client for whom more waits than may.
        client_fingerprints: SHA-256 of the clients' certificates that may connect; empty for any.
        proxy_protocol: whether connections begin with a PROXY header, `required` or `optional`;
            None for never.
    """

    def __init__(
        self,
        owner: object,
        callbacks: Callbacks,
        limits: Limits,
        *,
        tls_context: ssl.SSLContext | None = None,
        origins: OriginPolicy | None = None,
        subprotocols: Sequence[str] = (),
        trusted_proxies: TrustedProxies | None = None,
        real_ip_header: str | None = None,
        compression: DeflateOptions | None = None,
        slow_readers: SlowReaders = SlowReaders.CLOSE,
        client_fingerprints: frozenset[str] = frozenset(),
        proxy_protocol: str | None = None,
    ) -> None:
        self.owner = owner
        self.callbacks = callbacks
        self.limits = limits
        self.tls_context = tls_context
        self.origins = origins or OriginPolicy(None)
        self.subprotocols = tuple(subprotocols)
        self.trusted_proxies = trusted_proxies or TrustedProxies()
        self.real_ip_header = real_ip_header
        self.proxy_protocol = proxy_protocol
        self.compression = compression or DeflateOptions()
        self.compresses = compression is not None
        self.slow_readers = slow_readers
        self.client_fingerprints = client_fingerprints
        self.loop = asyncio.get_running_loop()
        self.poller = Poller(self.loop.call_soon)
        self.wheel = self.poller.wheel
        self.log = LogLimit(logger, time.monotonic)
        self.connections: dict[int, Connection] = {}
        self.accepted = 0
        self.opened = 0
        self.exceptions = 0
        self.send_failures = 0
        self.messages_dropped = 0
        self.is_stopping = False
        self._last_id = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[_Listener] = []
        self._ticked_at = 0.0
        self._ticker: asyncio.TimerHandle | None = None

    def next_id(self) -> int:
        """A number for a new connection."""
        self._last_id += 1
        return self._last_id

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """Has the next connections use this context; open ones go on as they are."""
        self.tls_context = context

    def start(self, listener: socket.socket) -> None:
        """Serves a bound, listening, non-blocking socket; the service owns it from here on."""
        self.loop.add_reader(self.poller.fileno(), self.poller.dispatch)
        self._listeners.append(_Listener(self, listener))
        self._ticked_at = time.monotonic()
        self._tick()

    def _tick(self) -> None:
        now = time.monotonic()
        elapsed = now - self._ticked_at
        self._ticked_at = now
        if elapsed > SLOW_LOOP + GRANULARITY:
            self.log.log(
                logging.WARNING,
                "blocked event loops",
                "the event loop stood still for %.1f s: a callback blocks; "
                "use async def with await, or asyncio.to_thread for blocking work",
                elapsed - GRANULARITY,
            )
        self._ticker = self.loop.call_later(GRANULARITY, self._tick)
        self.wheel.advance(elapsed)

    # Running the program's functions.

    def call(self, callback: Callback, *args: Any) -> None:
        """Runs a callback whose answer nobody awaits; what it raises is logged."""
        try:
            result = callback(*args)
        except Exception:
            self.exceptions += 1
            logger.exception("a callback raised")
            return
        if inspect.iscoroutine(result):
            self.spawn(result, lambda _: None, self._log_failure)

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        on_done: Callable[[Any], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Runs a coroutine of the program beside everything else.

        Args:
            on_done: gets what it returned.
            on_failure: gets what it raised, also its cancellation.
        """

        async def run() -> None:
            try:
                result = await coroutine
            except (Exception, asyncio.CancelledError) as error:
                on_failure(error)
            else:
                on_done(result)

        self.keep(self.loop.create_task(run()))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Holds a task until it is done; asyncio itself holds tasks weakly."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _log_failure(self, error: BaseException) -> None:
        self.exceptions += 1
        logger.error("a callback raised", exc_info=error)

    # Ending.

    def stop_accepting(self) -> None:
        """Closes the listening socket; open connections go on."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def stop(self, timeout: float, code: int = closing.GOING_AWAY) -> None:
        """Says goodbye to every connection, waits for handlers at work, frees everything.

        Args:
            timeout: seconds after which what is left is dropped.
            code: the close code that clients get.
        """
        self.is_stopping = True
        self.stop_accepting()
        deadline = self.loop.time() + timeout
        for connection in list(self.connections.values()):
            connection.say_goodbye(code, "the service is stopping")
        for handler in self.poller.handlers():
            if isinstance(handler, (Connection, preamble.Preamble)):
                handler.leave_handshake()
        while self.poller.handlers() and self.loop.time() < deadline:
            await asyncio.sleep(0.01)
        for handler in self.poller.handlers():
            handler.on_fault()
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - self.loop.time()))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)  # one may swallow its cancellation
        self.close()

    def close(self) -> None:
        """Frees the poller and the clock, once nothing is left in them."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self.poller.is_closed:
            return
        self.loop.remove_reader(self.poller.fileno())
        self.poller.close()


class _Listener(Handler):
    """A listening socket in the poller."""

    def __init__(self, service: Service, listener: socket.socket) -> None:
        self._service = service
        self._socket = listener
        self._fd = listener.fileno()
        service.poller.add(self._fd, self)

    def on_events(self, events: int) -> None:
        """Accepts what waits."""
        service = self._service
        for _ in range(ACCEPTS):
            try:
                accepted = syscalls.accept(self._socket)
            except OSError as error:
                self._pause(error)
                return
            if accepted is None:
                return
            service.accepted += 1
            if service.proxy_protocol is None:
                Connection(service, *accepted)
            else:
                preamble.receive(service, *accepted)

    def _pause(self, error: OSError) -> None:
        """Stops accepting for a moment: out of descriptors or memory, the listener stays ready."""
        service = self._service
        what = "file descriptors" if error.errno in (errno.EMFILE, errno.ENFILE) else "resources"
        service.log.log(
            logging.ERROR,
            "accept failures",
            "cannot accept connections: out of %s (%s); raise the limit: ulimit -n, LimitNOFILE=",
            what,
            error.strerror,
        )
        service.poller.modify(self._fd, 0)
        service.loop.call_later(ACCEPT_PAUSE, self._resume)

    def _resume(self) -> None:
        if self._fd >= 0:
            self._service.poller.modify(self._fd, 1)

    def on_fault(self) -> None:
        """Goes on: a fault while accepting concerns that one connection."""

    def flush(self) -> None:
        """Has nothing to write."""

    def close(self) -> None:
        """Stops listening."""
        if self._fd >= 0:
            self._service.poller.forget(self._fd)
            self._socket.close()
            self._fd = -1
