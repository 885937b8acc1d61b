"""One connection to one address: TCP, a PROXY header where asked, TLS, the handshake."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass, replace

from lineman.doctor.facts import HandshakeReply, Outcome
from lineman.protocols.interface import Upgrade
from lineman.protocols.websocket.client.client_handshake import (
    ClientHandshake,
    ClientOpening,
    HandshakeRefusedError,
)
from lineman.protocols.websocket.client.server_answer import NotHttpError
from lineman.protocols.websocket.client.url import Target
from lineman.protocols.websocket.masks import Masks
from lineman.protocols.websocket.negotiation import DeflateOptions
from lineman.protocols.websocket.session import WebsocketSession

CHUNK = 64 * 1024
_DEFLATE = DeflateOptions()
_NOT_TLS = (
    "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE", "RECORD_TOO_SMALL", "BAD_RECORD_TYPE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """How to get there.

    Args:
        target: host, port and path; its scheme says whether TLS is spoken.
        ip: the address that stands for the host.
        timeout: seconds for each connection, all its steps together.
        has_proxy_header: whether a PROXY header goes first.
        alpn: the protocol that TLS offers.
    """

    target: Target
    ip: str
    timeout: float
    has_proxy_header: bool = False
    alpn: str = "http/1.1"

    def with_scheme(self, scheme: str) -> Way:
        """The same way with another scheme."""
        return replace(self, target=self.target.with_scheme(scheme))

    def with_resource(self, resource: str) -> Way:
        """Another path there."""
        target = self.target
        return replace(self, target=Target(target.scheme, target.host, target.port, resource))


@dataclass(frozen=True, slots=True)
class Ask:
    """What the handshake says.

    Args:
        headers: further ones.
        subprotocols: offered.
        has_compression: whether permessage-deflate is offered.
        host: the value of `Host`; empty: that of the target.
    """

    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    has_compression: bool = False
    host: str = ""


class Line:
    """An open websocket: its socket, its session, and the bytes right after the handshake."""

    def __init__(self, link: socket.socket, opened: Upgrade) -> None:
        assert isinstance(opened.session, WebsocketSession)
        self.link = link
        self.session = opened.session
        self.early = opened.rest
        self.opened = time.monotonic()

    def close(self) -> None:
        """Closes the socket, without a close frame."""
        self.link.close()


class _TlsLink(ssl.SSLSocket):
    """Wraps a socket; unlike CPython's function, closes it if the peer closes before TLS begins."""

    def __del__(self) -> None:
        self.close()


def any_certificate() -> ssl.SSLContext:
    """TLS as current clients speak it, without a check of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _TlsLink
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(way: Way, context: ssl.SSLContext | None = None) -> socket.socket:
    """A connected socket, after the TLS handshake if the target's scheme is `wss`.

    Raises:
        OSError: what failed.
    """
    link = socket.create_connection((way.ip, way.target.port), way.timeout)
    try:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if way.has_proxy_header:
            link.sendall(_proxy_header(link))
        if way.target.is_tls:
            if context is None:
                context = any_certificate()
                context.set_alpn_protocols([way.alpn])
            link = context.wrap_socket(link, server_hostname=way.target.host)
    except BaseException:
        link.close()
        raise
    return link


def _proxy_header(link: socket.socket) -> bytes:
    """Version 1 (haproxy.org, proxy-protocol.txt, section 2.1)."""
    (own, own_port), (peer, peer_port) = link.getsockname()[:2], link.getpeername()[:2]
    family = "TCP6" if ":" in own else "TCP4"
    return f"PROXY {family} {own} {peer} {own_port} {peer_port}\r\n".encode("ascii")


def outcome_of(error: OSError) -> tuple[Outcome, str]:
    """How an attempt ended, and OpenSSL's reason."""
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        if reason in _NOT_TLS:
            return Outcome.NOT_TLS, reason
        if isinstance(error, ssl.SSLEOFError) or "EOF" in reason:
            return Outcome.CLOSED, reason
        return Outcome.ALERT, reason
    if isinstance(error, TimeoutError):
        return Outcome.TIMEOUT, ""
    if isinstance(error, ConnectionRefusedError):
        return Outcome.REFUSED, ""
    if isinstance(error, ConnectionError):
        return Outcome.CLOSED, "connection reset"
    return Outcome.UNREACHABLE, error.strerror or str(error)


def shake_hands(way: Way, ask: Ask) -> tuple[HandshakeReply, Line | None]:
    """One handshake; if a websocket opened, the caller must close the line."""
    began = time.monotonic()
    handshake = ClientHandshake(_opening(way.target, ask), Masks().take)
    link: socket.socket | None = None
    line: Line | None = None
    try:
        link = connect(way)
        link.sendall(handshake.request)
        reply, opened = _read_answer(link, handshake, began + way.timeout)
        if opened is not None:
            line = Line(link, opened)
    except OSError as error:
        outcome, reason = outcome_of(error)
        reply = HandshakeReply(outcome, reason=reason)
    finally:
        if link is not None and line is None:
            link.close()
    return replace(reply, seconds=time.monotonic() - began), line


def _opening(target: Target, ask: Ask) -> ClientOpening:
    compression = _DEFLATE if ask.has_compression else None
    return ClientOpening(target, ask.headers, ask.subprotocols, compression, ask.host)


def _read_answer(
    link: socket.socket, handshake: ClientHandshake, deadline: float
) -> tuple[HandshakeReply, Upgrade | None]:
    try:
        came = _await_answer(link, handshake, deadline)
        if isinstance(came, Upgrade):
            return HandshakeReply(Outcome.DONE, handshake.answer), came
        handshake.feed_end()  # raises where a refusal ends with the connection
    except HandshakeRefusedError as error:
        return HandshakeReply(Outcome.DONE, error.answer, error.objection or ""), None
    except NotHttpError as error:
        return HandshakeReply(Outcome.NOT_HTTP, start=error.start), None
    return came, None


def _await_answer(
    link: socket.socket, handshake: ClientHandshake, deadline: float
) -> Upgrade | HandshakeReply:
    """The result of the handshake, or how the connection ended before it."""
    try:
        while True:
            link.settimeout(max(0.001, deadline - time.monotonic()))
            data = link.recv(CHUNK)
            if not data:
                return HandshakeReply(Outcome.CLOSED)
            opened = handshake.feed(data)
            if opened is not None:
                return opened
    except OSError as error:
        outcome, reason = outcome_of(error)
        return HandshakeReply(outcome, reason=reason)
