"""A connection before its first byte: the PROXY header that a TCP proxy puts in front.

Only a service that asks for the PROXY protocol makes one of these; it hands the descriptor to a
`Connection` once the header is read, and takes not one byte of what follows it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket

from lineman.base.address import format_ip_port
from lineman.base.loglimit import kind_of
from lineman.errors import HttpError
from lineman.net.connection.connection import Connection
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.sender import SILENT, SLOW
from lineman.net.listening import arrival
from lineman.net.loop import syscalls
from lineman.net.loop.poller import READ, Handler
from lineman.net.stream.tlsstream import HANDSHAKE_RECORD
from lineman.protocols.http.answer_heads import error_response
from lineman.protocols.proxies import proxy_header
from lineman.protocols.proxies.proxy_header import HeaderError, NoHeaderError, ProxyHeader

REQUIRED = "required"
OPTIONAL = "optional"

_FIX = (
    "have the proxy send it (nginx: proxy_protocol on; HAProxy: send-proxy-v2), "
    "or leave proxy_protocol out"
)
_ANSWER = "This port wants the PROXY protocol: connect through the proxy."


def receive(
    service: ConnectionContext,
    endpoint: Endpoint,
    fd: int,
    peer: tuple[str, int],
    refusal: HttpError | None = None,
) -> None:
    """Takes an accepted connection of a service that speaks the PROXY protocol.

    Args:
        service: for which it was accepted.
        endpoint: at which it has come.
        fd: its descriptor.
        peer: address and port of the other end.
        refusal: what its first request is answered with; None for what the limits say.
    """
    if peer[0] in service.trusted_proxies:
        if refusal is None and service.is_guarded:
            refusal = service.admission.arrive()
        Preamble(service, endpoint, fd, peer, refusal)
    elif service.proxy_protocol == OPTIONAL:
        arrival.take(service, endpoint, fd, peer, refusal)  # a peer that is not a trusted proxy
    else:
        service.log.log(
            logging.WARNING,
            "strangers on a PROXY port",
            "%s: refused: only trusted_proxies may connect to a port with proxy_protocol=%r",
            format_ip_port(*peer),
            REQUIRED,
        )
        service.tally.add(0, 0, 0, 0)
        os.close(fd)


class Preamble(Handler):
    """A connection from a trusted proxy of which the header is not read.

    Args:
        service: for which it was accepted.
        endpoint: at which it has come.
        fd: its descriptor.
        peer: the proxy's address and port.
        refusal: see `receive`.
    """

    def __init__(
        self,
        service: ConnectionContext,
        endpoint: Endpoint,
        fd: int,
        peer: tuple[str, int],
        refusal: HttpError | None,
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._fd = fd
        self._peer = peer
        self._read = b""  # taken from the socket already
        self._successor: Connection | None = None
        self._since = service.wheel.now
        self.filed_tick = 0
        service.newcomers[self] = refusal
        service.poller.add(fd, self, READ)
        service.wheel.file(self, service.wheel.now + service.limits.handshake_timeout)

    def on_events(self, events: int) -> None:
        """Reads what belongs to the header."""
        try:
            came = self._receive(proxy_header.MAX_SIZE - len(self._read), socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._drop()
            return
        if not came:
            self._drop()  # a port scan, or a health check that only connects
            return
        try:
            found = proxy_header.read(self._read + came)
        except NoHeaderError as error:
            if self._service.proxy_protocol == OPTIONAL:
                self._hand_over(None)
            else:
                self._refuse(error)
            return
        except HeaderError as error:
            self._refuse(error)
            return
        if found is None:  # taken, so that the poller does not tell of the same bytes again
            self._read += self._receive(len(came))
            return
        header, size = found
        self._receive(size - len(self._read))
        self._read = b""
        self._hand_over(header)

    def _receive(self, size: int, flags: int = 0) -> bytes:
        borrowed = socket.socket(fileno=self._fd)
        try:
            return borrowed.recv(size, flags)
        finally:
            borrowed.detach()

    def _hand_over(self, header: ProxyHeader | None) -> None:
        service = self._service
        if self._read and self._endpoint.is_tls:
            self._refuse(NoHeaderError(f"neither TLS nor a PROXY header: {self._read!r}"))
            return
        service.wheel.remove(self)
        service.poller.forget(self._fd)
        refusal = service.newcomers.pop(self, None)
        fd, self._fd = self._fd, -1
        connection = self._successor = Connection(service, self._endpoint, fd, self._peer)
        if header is not None:
            connection.proxy_header = header
            connection.remote_ip, connection.remote_port = header.client or self._peer
            if header.client is not None and service.real_ip_header is None:
                refusal = refusal or service.admission.check(connection.remote_ip)
                if refusal is None:
                    service.admission.count(connection, connection.remote_ip)
        if refusal is not None:
            service.newcomers[connection] = refusal
        connection.begin(self._read)

    def _refuse(self, error: HeaderError) -> None:
        fix = _FIX if isinstance(error, NoHeaderError) else "see the proxy's version and settings"
        self._service.log.log(
            logging.WARNING,
            kind_of("bad PROXY headers", str(error)),
            "%s: refused: %s; %s",
            format_ip_port(*self._peer),
            error,
            fix,
        )
        waiting = self._read
        with contextlib.suppress(OSError):
            waiting += self._receive(65536)  # unread bytes would reset our answer
        speaks_http = self._endpoint.protocol is None and isinstance(error, NoHeaderError)
        if speaks_http and waiting and waiting[0] != HANDSHAKE_RECORD:
            with contextlib.suppress(OSError):
                syscalls.send(self._fd, error_response(HttpError(400, _ANSWER)))
                syscalls.finish_writing(self._fd)
        self._drop()

    def on_deadline(self, now: float) -> float:
        """Gives up: the header did not come."""
        limit = self._service.limits.handshake_timeout
        self._refuse(NoHeaderError(f"no PROXY header within {limit:g} s"))
        return 0.0

    def on_fault(self) -> None:
        """Gives the connection up."""
        if self._successor is not None:
            self._successor.on_fault()
        self._drop()

    def flush(self) -> None:
        """Has nothing to write."""

    def gives_way_in(self, now: float) -> float:
        """See `Connection`."""
        if syscalls.waits(self._fd):
            return float("inf")
        return self._since + (SLOW if self._read else SILENT) - now

    def give_way(self, error: HttpError) -> None:
        """See `Connection`."""
        self._drop()

    def leave_handshake(self) -> None:
        """Ends with the service."""
        self._drop()

    def _drop(self) -> None:
        if self._fd >= 0:
            self._service.wheel.remove(self)
            self._service.newcomers.pop(self, None)
            self._service.tally.add(0, 0, 0, 0)
            self._service.poller.close_descriptor(self._fd)
            self._fd = -1
