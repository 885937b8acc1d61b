"""One worker's life in one process: its listening socket, its connections and what they share."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from lineman.base import progress
from lineman.base.forks import keep_from_children
from lineman.base.loglimit import LogLimit
from lineman.errors import HttpError
from lineman.net.connection.callbacks import Callback, Callbacks
from lineman.net.connection.counters import Tally
from lineman.net.connection.end_causes import STOPPING
from lineman.net.connection.limits import Limits
from lineman.net.connection.open_connections import Connections
from lineman.net.connection.send_queue import SlowReaders
from lineman.net.connection.unfinished import Unfinished
from lineman.net.listening.admission import Admission
from lineman.net.loop.lag import LagMeter
from lineman.net.loop.poller import Poller
from lineman.net.loop.wheel import GRANULARITY
from lineman.net.stream.tlsstream import Challenges, TlsStream
from lineman.protocols.interface import Session
from lineman.protocols.proxies.forwarded import TrustedProxies
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.negotiation import DeflateOptions
from lineman.protocols.websocket.origins import OriginPolicy

if TYPE_CHECKING:
    from lineman.net.connection.connection import Connection
    from lineman.net.listening.acceptor import Acceptor

logger = logging.getLogger("lineman")

# While draining, connections are closed at this interval.
DRAIN_STEP = 0.05
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
        trusted_proxies: the proxies that are believed about the client's address.
        real_ip_header: the one header in which they say it; None for whichever they agree in.
        compression: how messages may be compressed; None for not at all.
        challenges: proofs for a certificate authority, where this service gets its own.
        client_fingerprints: SHA-256 of the clients' certificates that may connect; empty for any.
        proxy_protocol: whether connections begin with a PROXY header, `required` or `optional`;
            None for never.
        slow_readers: what happens to a client with more waiting bytes than allowed.
        protocol: makes the session of a new connection; None for websockets, with HTTP before.

    Attributes:
        newcomers: who is no websocket (yet) and waits for its client, the oldest first; with what
            it will be answered, if that is settled.
        admission: counts who comes, where `is_guarded`, and what is sent, where `is_metered`.
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
        challenges: Challenges | None = None,
        client_fingerprints: frozenset[str] = frozenset(),
        proxy_protocol: str | None = None,
        slow_readers: SlowReaders = SlowReaders.CLOSE,
        protocol: Callable[[Limits], Session] | None = None,
    ) -> None:
        self.owner = owner
        self.callbacks = callbacks
        self.limits = limits
        self.tls_context = tls_context
        self.challenges = challenges
        self.http_scheme = "http" if tls_context is None else "https"
        self.origins = origins or OriginPolicy(None)
        self.subprotocols = tuple(subprotocols)
        self.trusted_proxies = trusted_proxies or TrustedProxies()
        self.real_ip_header = real_ip_header
        self.proxy_protocol = proxy_protocol
        self.compression = compression or DeflateOptions()
        self.compresses = compression is not None
        self.client_fingerprints = client_fingerprints
        self.slow_readers = slow_readers
        self.protocol = protocol
        self.loop = asyncio.get_running_loop()
        self.log = LogLimit(logger)
        self.poller = Poller(self.loop.call_soon, self.log)
        keep_from_children(self)
        self.wheel = self.poller.wheel
        self.connections: dict[int, Connection] = {}  # for us; the program gets `open_connections`
        self.open_connections = Connections(self.connections)
        self.newcomers: dict[Any, HttpError | None] = {}
        self.tally = Tally()
        self.admission = Admission(limits, self.tally, self.log, time.monotonic)
        self.is_guarded = self.admission.is_guarded
        self.is_metered = self.admission.is_metered
        self.unfinished = Unfinished(
            self.wheel, limits.unfinished_size, limits.unfinished_timeout, self.tally, self.log
        )
        self.lag = LagMeter()
        self.accepted = 0
        self.opened = 0
        self.plain_requests = 0
        self.exceptions = 0
        self.send_failures = 0
        self.messages_dropped = 0
        self.is_stopping = False
        self.is_draining = False
        self._last_id = 0
        self._told: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listeners: list[Acceptor] = []
        self._ticked_at = 0.0
        self._ticker: asyncio.TimerHandle | None = None

    def descriptors(self) -> list[int]:
        """Those of the clients and listeners."""
        return self.poller.descriptors()

    def tell_once(self, kind: str, message: str, *args: object) -> None:
        """Warns of a mistake in the settings, which each client would show again."""
        if kind not in self._told:
            self._told.add(kind)
            self.log.log(logging.WARNING, kind, message, *args)

    def next_id(self) -> int:
        """A number for a new connection."""
        self._last_id += 1
        return self._last_id

    def new_tls(self, fd: int) -> TlsStream | None:
        """TLS for a new connection; None where there is none."""
        if self.tls_context is None:
            return None
        return TlsStream(self.tls_context, fd, self.challenges)

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """Has the next connections use this context; open ones go on as they are."""
        self.tls_context = context

    def start(self, listener: socket.socket | None) -> None:
        """Serves a bound, listening, non-blocking socket; the service owns it from here on.

        Args:
            listener: None for a worker that no client connects to.
        """
        self.loop.add_reader(self.poller.fileno(), self.poller.dispatch)
        if listener is not None:
            self.listen(listener)
        self._ticked_at = time.monotonic()
        self._tick()

    def listen(self, listener: socket.socket) -> None:
        """Accepts from one more socket, as `start` does."""
        from lineman.net.listening.acceptor import (
            Acceptor,  # it knows connections, which know this module
        )

        self._listeners.append(Acceptor(self, listener))

    def _tick(self) -> None:
        now = time.monotonic()
        elapsed = now - self._ticked_at
        self._ticked_at = now
        self.lag.note(now, elapsed - GRANULARITY)
        if elapsed > SLOW_LOOP + GRANULARITY:
            self.log.log(
                logging.WARNING,
                "blocked event loops",
                "the event loop stood still for %.1f s: a callback blocks; "
                "use async def with await, or asyncio.to_thread for blocking work",
                elapsed - GRANULARITY,
            )
        self._ticker = self.loop.call_later(GRANULARITY, self._tick)
        if self.wheel.advance(elapsed):
            self.loop.call_soon(self._look_on)

    def _look_on(self) -> None:
        """Goes on with those whose time has come: they are many."""
        if not self.poller.is_closed and self.wheel.look():
            self.loop.call_soon(self._look_on)

    # Running the program's functions.

    def call(self, callback: Callback, *args: Any) -> None:
        """Runs a callback whose answer nobody awaits; what it raises is logged."""
        try:
            result = callback(*args)
        except BaseException as error:  # sys.exit() in it ends no process with all its clients
            self._log_failure(error)
            return
        if isinstance(result, CoroutineType):
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
            except BaseException as error:
                on_failure(error)
            else:
                on_done(result)
            progress.note()

        self.keep(self.loop.create_task(run()))

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Holds a task until it is done; asyncio itself holds tasks weakly."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _log_failure(self, error: BaseException) -> None:
        self.exceptions += 1
        self.log.exception(error, "a callback raised")

    # Ending.

    def stop_accepting(self) -> None:
        """Closes the listening socket; open connections go on."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def drain(
        self, seconds: float, timeout: float, code: int = closing.SERVICE_RESTART
    ) -> None:
        """Stops accepting, closes the connections one by one, and frees everything.

        A connection that is still in its handshake may finish it, and is closed then: an accepted
        connection is not reset. One that is kept for more HTTP requests has the whole time to send
        another, whose answer says that it is the last: a request that is on its way is not lost. It
        is all over sooner where no connection is left.

        Args:
            seconds: the time over which the connections are closed, evenly.
            timeout: seconds after that for handshakes, closing handshakes and handlers at work.
            code: the close code that clients get.
        """
        self.stop_accepting()
        self.is_draining = True
        spread = self.loop.time() + seconds
        deadline = spread + timeout
        due = 0.0
        while (now := self.loop.time()) < deadline:
            waiting = [each for each in self.connections.values() if each.may_receive]
            share = min(1.0, DRAIN_STEP / (spread - now)) if now < spread else 1.0
            due = min(due + len(waiting) * share, len(waiting))
            for connection in waiting[: math.floor(due)]:
                connection.say_goodbye(code, "the service is restarting")
            due -= math.floor(due)
            if now >= spread:
                for connection in self._unopened():
                    connection.leave_idle()
            if not self.poller.handlers() or (now >= spread and not self._unopened()):
                break
            await asyncio.sleep(DRAIN_STEP)
        await self.stop(max(0.0, deadline - self.loop.time()), code)

    def _unopened(self) -> list[Connection]:
        """Connections that have not become a websocket yet."""
        from lineman.net.connection.connection import Connection  # connections know this module

        handlers = self.poller.handlers()
        return [each for each in handlers if isinstance(each, Connection) and each.is_unopened]

    async def stop(self, timeout: float, code: int = closing.GOING_AWAY) -> None:
        """Closes every connection with a close frame, waits for handlers at work, and frees
        everything.

        Args:
            timeout: seconds after which what is left is dropped.
            code: the close code that clients get.
        """
        from lineman.net.connection.connection import Connection  # connections know this module
        from lineman.net.listening.proxy_preamble import Preamble

        self.is_stopping = True
        self.stop_accepting()
        deadline = self.loop.time() + timeout
        for connection in list(self.connections.values()):
            connection.say_goodbye(code, STOPPING)
        for handler in self.poller.handlers():
            if isinstance(handler, (Connection, Preamble)):
                handler.leave_handshake()
        while self.poller.handlers() and self.loop.time() < deadline:
            await asyncio.sleep(0.01)
        for handler in self.poller.handlers():
            handler.on_fault()
        await asyncio.sleep(0)  # for each `on_close` that is to be called soon
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
        self.log.tell()
        if self.poller.is_closed:
            return
        self.loop.remove_reader(self.poller.fileno())
        self.poller.close()
