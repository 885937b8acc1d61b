"""What is known of a connection: who is at its other end, since when, and how it ended."""

from __future__ import annotations

import time
from typing import Any

from lineman.base.address import format_ip_port
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.end_causes import close_cause, failure_cause
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.limits import Limits
from lineman.net.connection.state import CLOSED, FINISHING, HANDSHAKE, NEXT, OPEN, State
from lineman.net.loop import syscalls
from lineman.net.loop.poller import Handler
from lineman.net.stream.stream import Stream
from lineman.net.stream.tlsinfo import TlsInfo
from lineman.protocols.http.requests import Request
from lineman.protocols.proxies.proxy_header import ProxyHeader
from lineman.protocols.websocket.close import words


class Peer(Handler):
    """The facts of a connection, and its place in the books of its service."""

    __slots__ = (
        "_callbacks", "_data", "_last_received", "_limits", "_local", "_quiet_messages",
        "_quiet_since", "_request", "_state", "_stream", "_tls_info",
        "close_code", "close_reason", "endpoint", "id",
        "messages_dropped", "messages_read", "messages_written", "opened_at", "peer", "poller",
        "proxy_header", "remote_ip", "remote_port", "service", "subprotocol",
    )  # fmt: skip

    def _begin_facts(
        self, service: ConnectionContext, endpoint: Endpoint, fd: int, peer: tuple[str, int]
    ) -> None:
        """In place of `__init__`: several that call each other cost more than what they do.

        Args:
            service: that it belongs to.
            endpoint: at which it has come.
            fd: its descriptor.
            peer: address and port of the peer.
        """
        self.service = service
        self._callbacks = service.callbacks  # or its own
        self._limits = service.limits  # or its own
        self.endpoint = endpoint
        self.poller = service.poller
        self._stream = Stream(self.poller, fd, service.new_tls(fd) if endpoint.is_tls else None)
        self._state: State = HANDSHAKE
        self.id = service.next_id()
        self.peer = peer
        self.proxy_header: ProxyHeader | None = None
        self.remote_ip, self.remote_port = peer
        self.subprotocol: str | None = None
        self.messages_read = self.messages_written = self.messages_dropped = 0
        self.opened_at = 0.0
        self.close_code = 0
        self.close_reason = ""
        self._data: Any = None
        self._local: str | None = None
        self._request: bytes | Request | None = None
        self._tls_info: TlsInfo | None = None
        self._last_received = service.wheel.now
        self._quiet_since = 0.0
        self._quiet_messages = -1  # none yet, not even a silence
        self.filed_tick = 0
        service.newcomers[self] = None

    def __repr__(self) -> str:
        where = format_ip_port(self.remote_ip, self.remote_port)
        return f"<Connection {self.id} {where} {self._state.value}>"

    # What the program may ask.

    @property
    def worker(self) -> Any:
        """The worker that the connection belongs to."""
        return self.service.owner

    @property
    def state(self) -> str:
        """`handshake`, `open`, `closing`, `finishing` or `closed`."""
        return self._state.value

    @property
    def data(self) -> Any:
        """A place for the program's own: a dictionary until something else is put there."""
        if self._data is None:
            self._data = {}
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = value

    @property
    def request(self) -> Request | None:
        """The handshake, or the plain request before it; None before its head arrived.

        Of a usual handshake only the bytes are kept, until somebody asks.
        """
        if isinstance(self._request, bytes):
            request = self._request = Request.of_handshake(self._request)
            request.remote_ip, request.remote_port = self.remote_ip, self.remote_port
            request.scheme = self.endpoint.http_scheme
        return self._request

    @request.setter
    def request(self, request: Request | bytes) -> None:
        self._request = request

    @property
    def peer_address(self) -> str:
        """`ip:port` of the peer, which is the client or the proxy in front of it; or `unix`."""
        return format_ip_port(*self.peer)

    @property
    def local_address(self) -> str:
        """`ip:port` of our end; empty if it was first asked for after the end."""
        if self._local is None:
            if self._state is CLOSED:
                return ""
            try:
                self._local = format_ip_port(*syscalls.local_address(self._stream.fd))
            except OSError:
                return ""
        return self._local

    @property
    def listen_address(self) -> str:
        """The address of the worker at which it has come, as the program writes it."""
        return self.endpoint.address

    @property
    def tls(self) -> TlsInfo | None:
        """What TLS has agreed on, and the client's certificate; None without TLS.

        What was asked for once stays after the end of the connection.
        """
        if self._tls_info is None and self._stream.tls is not None:
            self._tls_info = self._stream.tls.info
        return self._tls_info

    @property
    def shows_certificate(self) -> bool:
        """Whether the client has shown one to the worker itself."""
        return self.tls is not None and self.tls.peer_certificate is not None

    @property
    def tls_version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`; None where the connection came without TLS."""
        tls = self._stream.tls
        return None if tls is None else tls.version

    @property
    def tls_cipher(self) -> str | None:
        """The cipher in OpenSSL's words, such as `TLS_AES_256_GCM_SHA384`; None without TLS."""
        tls = self._stream.tls
        return None if tls is None else tls.cipher

    @property
    def fd(self) -> int:
        """The descriptor."""
        return self._stream.fd

    @property
    def bytes_read(self) -> int:
        """Payload bytes received (after TLS)."""
        return self._stream.bytes_read

    @property
    def bytes_written(self) -> int:
        """Payload bytes given to the kernel or to TLS."""
        return self._stream.bytes_written

    @property
    def is_paused(self) -> bool:
        """Whether the socket is not read now, for whatever reason."""
        return self._stream.paused != 0

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._state is OPEN

    @property
    def is_unopened(self) -> bool:
        """Whether no messages go yet, and some may."""
        return self._state is HANDSHAKE

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._state is FINISHING or self._state is CLOSED

    @property
    def idle(self) -> float:
        """Seconds since the peer last sent something; answers to our pings do not count."""
        has_sent = self.messages_read != self._quiet_messages
        since = self._last_received if has_sent else self._quiet_since
        return max(0.0, self.service.wheel.now - since)

    # What happens.

    def _use_callbacks(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    def hand_to(self, callbacks: Callbacks, data: object) -> None:
        """Has an application get what comes.

        Args:
            callbacks: its functions.
            data: what `data` is from now on.
        """
        self._use_callbacks(callbacks)
        self._data = data

    def _use_limits(self, limits: Limits) -> None:
        self._limits = limits

    def _enter(self, state: State) -> None:
        if state not in NEXT[self._state]:
            raise RuntimeError(f"defect: a connection went from {self._state} to {state}")
        self._state = state

    def _heard(self) -> None:
        """Notes that the peer is there."""
        self._last_received = self.poller.wheel.now

    def note_read(self) -> None:
        """Counts a message of the peer that the program gets; for an inbox."""
        self._count_read()

    def _count_read(self) -> None:
        self.messages_read += 1

    def _count_written(self) -> None:
        """Counts a message that is sent, or waits to be."""
        self.messages_written += 1

    def _count_dropped(self, count: int) -> None:
        """Counts messages that the peer does not get because it reads too slowly."""
        self.messages_dropped += count
        self.service.messages_dropped += count

    def _note_silence(self) -> None:
        """Notes that the peer is silent and is pinged now; its pong is to count for nothing."""
        if self._quiet_messages != self.messages_read:
            self._quiet_messages = self.messages_read
            self._quiet_since = self._last_received

    def _set_cause(self, code: int, reason: str) -> None:
        """Notes why it ends; what was first counts."""
        if not self.close_code:
            self.close_code = code
            self.close_reason = reason or words(code)

    def _forget_cause(self) -> None:
        """Forgets why it ends: it does not."""
        self.close_code, self.close_reason = 0, ""

    def _enlist(self) -> None:
        """Counts it among the open ones of its service."""
        self.service.newcomers.pop(self, None)
        connections: dict[int, Any] = self.service.connections
        connections[self.id] = self
        self.service.opened += 1
        self.opened_at = time.time()

    def _unlist(self, is_ours: bool, is_broken_rule: bool) -> None:
        """Takes it off the books of its service: it ends.

        Args:
            is_ours: whether this side began to close.
            is_broken_rule: whether the peer broke the protocol.
        """
        service, stream, tally = self.service, self._stream, self.service.tally
        if service.is_guarded:
            service.admission.leave(self)
        tally.add(
            self.messages_read, self.messages_written, stream.bytes_read, stream.bytes_written
        )
        if self.opened_at:
            service.connections.pop(self.id, None)
            cause = close_cause(self.close_code, self.close_reason, is_ours, is_broken_rule)
            tally.closes[cause] += 1
            return
        service.newcomers.pop(self, None)
        failure = failure_cause(self.close_reason, self._state is FINISHING)
        if failure is not None:
            tally.failures[failure] += 1
