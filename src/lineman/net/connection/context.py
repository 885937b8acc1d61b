"""What the connections of a service share: limits, callbacks, the poller, counters, the log."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any

from lineman.base import progress
from lineman.base.durations import name_of
from lineman.base.forks import keep_from_children
from lineman.base.loglimit import LogLimit
from lineman.errors import HttpError, ProtocolError
from lineman.net.connection.admission import Admission
from lineman.net.connection.callbacks import Callback, Callbacks
from lineman.net.connection.counters import Tally
from lineman.net.connection.limits import Limits
from lineman.net.connection.send_queue import SlowReaders
from lineman.net.connection.unfinished import Unfinished
from lineman.net.loop.poller import Poller
from lineman.net.stream.tlsstream import Challenges, TlsStream
from lineman.protocols.interface import Session
from lineman.protocols.proxies.forwarded import TrustedProxies
from lineman.protocols.websocket.close import INTERNAL_ERROR
from lineman.protocols.websocket.negotiation import DeflateOptions

logger = logging.getLogger("lineman")


class ConnectionContext:
    """What every connection of one worker in one process reads, and where it counts.

    Args:
        owner: what `connection.worker` gives back.
        callbacks: the program's functions; looked up live.
        limits: sizes and times.
        tls_context: for connections with TLS; None if there are none.
        subprotocols: what may be agreed on, best first.
        trusted_proxies: the proxies that are believed about the client's address.
        real_ip_header: the one header in which they say it; None for whichever they agree in.
        compression: how messages may be compressed; None for not at all.
        challenges: proofs for a certificate authority, where this service gets its own.
        client_fingerprints: SHA-256 of the clients' certificates that may connect; empty for any.
        proxy_protocol: whether connections begin with a PROXY header, `required` or `optional`;
            None for never.
        slow_readers: what happens to a client with more waiting bytes than allowed.

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
        subprotocols: Sequence[str] = (),
        trusted_proxies: TrustedProxies | None = None,
        real_ip_header: str | None = None,
        compression: DeflateOptions | None = None,
        challenges: Challenges | None = None,
        client_fingerprints: frozenset[str] = frozenset(),
        proxy_protocol: str | None = None,
        slow_readers: SlowReaders = SlowReaders.CLOSE,
    ) -> None:
        self.owner = owner
        self.callbacks = callbacks
        self.limits = limits
        self.tls_context = tls_context
        self.challenges = challenges
        self.subprotocols = tuple(subprotocols)
        self.trusted_proxies = trusted_proxies or TrustedProxies()
        self.real_ip_header = real_ip_header
        self.proxy_protocol = proxy_protocol
        self.compression = compression or DeflateOptions()
        self.compresses = compression is not None
        self.client_fingerprints = client_fingerprints
        self.slow_readers = slow_readers
        self.loop = asyncio.get_running_loop()
        self.log = LogLimit(logger)
        self.poller = Poller(self.loop.call_soon, self.log)
        keep_from_children(self)
        self.wheel = self.poller.wheel
        self.connections: dict[int, Any] = {}  # those that are open, by their numbers
        self.newcomers: dict[Any, HttpError | None] = {}
        self.tally = Tally()
        self.admission = Admission(limits, self.tally, self.log, time.monotonic)
        self.is_guarded = self.admission.is_guarded
        self.is_metered = self.admission.is_metered
        self.unfinished = Unfinished(
            self.wheel, limits.unfinished_size, limits.unfinished_timeout, self.tally, self.log
        )
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

    def new_tls(self, fd: int) -> TlsStream:
        """TLS for a new connection."""
        assert self.tls_context is not None
        return TlsStream(self.tls_context, fd, self.challenges)

    def new_session(self, protocol: Callable[[Limits], Session], peer: str) -> Session | None:
        """What the factory makes for a new connection; None where it failed, which is logged.

        Args:
            protocol: the factory.
            peer: the peer's address, for the log.
        """
        try:
            session = protocol(self.limits)
            if not isinstance(session, Session):
                raise TypeError(f"protocol made {session!r}; it must return a Session")
        except BaseException as error:  # the program's own code, as in a callback
            self.exceptions += 1
            self.log.exception(error, "%s: protocol raised; the connection is dropped", peer)
            return None
        return session

    def log_broken_rule(self, connection: object, error: ProtocolError) -> None:
        """Logs what a session has ended with: the peer's fault, or that of the program's protocol.

        Args:
            connection: whose session it was.
            error: what the session gave; 1011 for a fault of the program.
        """
        if error.code == INTERNAL_ERROR:
            self.exceptions += 1
            cause = error.__cause__ or error
            self.log.exception(cause, "%s: closed with %s", connection, error)
        else:
            kind = f"protocol errors with {error.code}"
            self.log.log(logging.INFO, kind, "%s: closed with %s", connection, error)

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """Has the next connections use this context; open ones go on as they are."""
        self.tls_context = context

    def call(self, callback: Callback, *args: Any) -> None:
        """Runs a callback whose answer nobody awaits; what it raises is logged."""
        try:
            result = callback(*args)
        except BaseException as error:  # sys.exit() in it ends no process with all its clients
            self._log_failure(error)
            return
        if isinstance(result, CoroutineType):
            self.spawn(result, lambda _: None, self._log_failure)

    def call_named(self, name: str, function: Callback, *args: Any) -> None:
        """The same, and the log says by whose order it is called, such as `connection.after`."""
        try:
            result = function(*args)
        except BaseException as error:
            self.note_failure(f"{name}: {name_of(function)}", error)
            return
        if isinstance(result, CoroutineType):
            what = f"{name}: {name_of(function)}"
            self.spawn(result, lambda _: None, lambda error: self.note_failure(what, error))

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

    def hold(self, task: asyncio.Task[Any]) -> None:
        """As `keep`, for one that calls `let_go` at its end, which costs less."""
        self._tasks.add(task)

    def let_go(self, task: asyncio.Task[Any]) -> None:
        """Holds a task no more."""
        self._tasks.discard(task)

    def note_failure(self, what: str, error: BaseException) -> None:
        """Counts and logs what the program raised where nobody else takes it.

        Args:
            what: the name of the failed function.
        """
        self.log.exception(error, "%s raised", what)
        self.exceptions += 1  # behind the line: a reader of the figure finds it in the log

    def _log_failure(self, error: BaseException) -> None:
        self.note_failure("a callback", error)
