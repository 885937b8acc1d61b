"""One client's socket: connects step by step and says how long each took, then sends and reads."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass, field

from lineman.client.stream_target import AnyTarget
from lineman.errors import ConnectionLost
from lineman.protocols.websocket import close
from lineman.protocols.websocket.client.client_handshake import (
    ClientHandshake,
    ClientLimits,
    ClientOpening,
)
from lineman.protocols.websocket.control import Event
from lineman.protocols.websocket.masks import Masks
from lineman.protocols.websocket.session import WebsocketSession

CHUNK = 64 * 1024


@dataclass(slots=True)
class Timings:
    """How long each step of the opening took, in seconds, in order."""

    steps: list[tuple[str, float]] = field(default_factory=list)
    _since: float = field(default_factory=time.perf_counter)

    def note(self, step: str) -> None:
        """Ends a step; the next one begins."""
        now = time.perf_counter()
        self.steps.append((step, now - self._since))
        self._since = now

    @property
    def total(self) -> float:
        """All together."""
        return sum(seconds for _, seconds in self.steps)


class Wire:
    """An open websocket.

    Args:
        opening: what the handshake says.
        tls: how to speak TLS; None for a plain connection.
        timeout: seconds that each step of the opening, and each write, may take.
        goodbye: seconds that the server has to answer our close frame.

    Attributes:
        handshake: what was asked and answered.
        session: the protocol; the caller sends the frames that it encodes.
        timings: of the opening.
        early: what the server sent right behind its handshake.

    Raises:
        OSError: the server cannot be reached, or TLS failed.
        HandshakeRefusedError: the server did not open a websocket.
        NotHttpError: it speaks another protocol.
        ConnectionLost: the server closed in the middle of the handshake.
    """

    no_end = "the server ended the connection without a close frame"
    no_answer = "no answer to the close frame"

    def __init__(
        self, opening: ClientOpening, tls: ssl.SSLContext | None, timeout: float, goodbye: float
    ) -> None:
        target = opening.target
        self.timings = Timings()
        self.handshake = ClientHandshake(opening, Masks().take, ClientLimits(close_timeout=goodbye))
        self._timeout = timeout
        self._socket = opened(target, timeout, self.timings)
        try:
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=target.host)
                self.timings.note("TLS")
            self._socket.sendall(self.handshake.request)
            self.session, self.early = self._shake_hands()
            self.timings.note("handshake")
        except BaseException:
            self._socket.close()
            raise

    def _shake_hands(self) -> tuple[WebsocketSession, list[Event]]:
        deadline = time.monotonic() + self._timeout
        while True:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(CHUNK)
            if not data:
                self.handshake.feed_end()  # raises where a refusal ends with the connection
                raise ConnectionLost(close.ABNORMAL, "closed the connection during the handshake")
            opened = self.handshake.feed(data)
            if opened is not None:
                session = opened.session
                assert isinstance(session, WebsocketSession)
                return session, session.feed(opened.rest)

    @property
    def tls(self) -> str | None:
        """TLS version and cipher; None for a plain connection."""
        return tls_of(self._socket)

    def fileno(self) -> int:
        """The descriptor, for `select`."""
        return self._socket.fileno()

    def has_more(self) -> bool:
        """Whether there are bytes to read that `select` does not report."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def read(self) -> list[Event] | None:
        """The events that have come; None where the server has ended the connection.

        Raises:
            OSError: the connection is broken.
        """
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return []
        except ssl.SSLEOFError:
            return None
        return self.session.feed(data) if data else None

    @property
    def agreed(self) -> str:
        """What the handshake has agreed on, in words; empty for nothing."""
        name = self.handshake.subprotocol
        return f", subprotocol {name}" if name else ""

    def encode(self, message: str | bytes) -> bytes:
        """A message as it is sent."""
        return self.session.encode(message)

    def say_close(self, code: int, reason: str) -> float | None:
        """Sends our close frame, once.

        Returns:
            Seconds that the server has to answer it; None if it was sent before.
        """
        now = time.monotonic()
        frame = self.session.closing(code, reason, now)
        if frame is None:
            return None
        _, _, due = self.session.on_time(now, now)
        self.send(frame)
        return due - now

    def send(self, data: bytes | None) -> None:
        """Sends what the session has encoded; None is nothing.

        Raises:
            OSError: the connection is broken.
            TimeoutError: the server takes nothing.
        """
        if data is not None:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(data)

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()


def tls_of(connected: socket.socket) -> str | None:
    """TLS version and cipher of a socket; None for a plain one."""
    if not isinstance(connected, ssl.SSLSocket):
        return None
    cipher = connected.cipher()
    return f"{connected.version()} {cipher[0] if cipher else ''}".strip()


def opened(target: AnyTarget, timeout: float, timings: Timings) -> socket.socket:
    """A socket that is connected to a service, by TCP or on a unix socket.

    Raises:
        OSError: it is not reached.
    """
    if not target.unix_path:
        return connected(target.host, target.port, timeout, timings)
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(timeout)
    try:
        made.connect(target.unix_path)
    except BaseException:
        made.close()
        raise
    timings.note("socket")
    return made


def connected(host: str, port: int, timeout: float, timings: Timings) -> socket.socket:
    """The first of the host's addresses that answers.

    Raises:
        OSError: none does; the error of the last one.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    timings.note("name")
    for number, (family, kind, protocol, _, address) in enumerate(found, 1):
        made = socket.socket(family, kind, protocol)
        made.settimeout(timeout)
        try:
            made.connect(address)
        except OSError:
            made.close()
            if number == len(found):
                raise
        else:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            timings.note("TCP")
            return made
    raise AssertionError("getaddrinfo found nothing and raised nothing")
