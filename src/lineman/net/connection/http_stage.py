"""A connection before it is a websocket: its HTTP requests, and the handshake among them."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import CoroutineType
from typing import TYPE_CHECKING

from lineman.base.loglimit import kind_of
from lineman.errors import HttpError, UsageError
from lineman.net.stream.stream_status import PAUSED_BY_HANDSHAKE
from lineman.net.stream.tlsstream import HANDSHAKE_RECORD
from lineman.protocols.http.http_messages import response_to
from lineman.protocols.http.requests import (
    CONTINUE,
    Request,
    RequestParser,
    Response,
    error_response,
)
from lineman.protocols.proxies import forwarded
from lineman.protocols.websocket import checkup, handshake
from lineman.protocols.websocket.fast_handshake import Opening
from lineman.protocols.websocket.handshake import response
from lineman.protocols.websocket.negotiation import Agreement, negotiate
from lineman.protocols.websocket.origins import OWN, Standing, without_identity
from lineman.protocols.websocket.session import WebsocketSession

if TYPE_CHECKING:
    from lineman.net.connection.connection import Connection


MAX_PIPELINED = 16


class HttpStage:
    """Answers plain requests, and turns one into a websocket.

    Args:
        connection: whose bytes these are.

    Attributes:
        is_answering: whether a request waits for the program's answer.
        is_deciding: whether `on_websocket_connect` is at work.
        is_idle: whether a request was answered, and nothing of another one has come.
    """

    __slots__ = (
        "_claims",
        "_compression",
        "_connection",
        "_headers",
        "_is_ended",
        "_key",
        "_parser",
        "_refusal",
        "_requests",
        "_rest",
        "is_answering",
        "is_deciding",
        "is_idle",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parser: RequestParser | None = None
        self._requests: list[Request] = []
        self._is_ended = False
        self.is_idle = self.is_answering = self.is_deciding = False
        self._key = ""
        self._claims: tuple[tuple[str, str], ...] = ()  # addresses, where it is in doubt
        self._rest = b""  # what came behind a handshake
        self._headers: tuple[tuple[str, str], ...] = ()
        self._refusal: Response | None = None
        self._compression: tuple[Agreement, str] | None = None

    def begin(self, opening: Opening, rest: bytes) -> None:
        """Takes a usual handshake.

        Args:
            opening: what `read_opening` found in the first bytes.
            rest: what came behind it.
        """
        connection = self._connection
        connection.request = opening.head
        self._key = opening.key
        self._rest = rest
        if opening.is_bare and self._is_direct():
            self._decide()
        else:
            request = connection.request
            assert request is not None
            self._find_client(request)
            self._judge(request, False)

    def feed(self, data: memoryview) -> None:
        """Takes bytes, of which there may be none; answers what is complete."""
        connection = self._connection
        self.is_idle = False
        if self._parser is None:
            if data[0] == HANDSHAKE_RECORD:
                self._refuse_tls()
                return
            limits = connection.service.limits
            self._parser = RequestParser(limits.max_head_size, limits.max_message_size)
        if len(data):
            self._requests.extend(self._parser.feed(data))
        body = self._parser.unfinished_body
        connection.note_unfinished(body, 0 if body is None else body.__sizeof__())
        if connection.is_over:
            return  # all bodies together held too much
        if len(self._requests) > MAX_PIPELINED:
            connection.refuse(HttpError(400, "Too many requests sent without waiting."))
            return
        if not self.is_answering:
            self._next(self._parser)

    def _refuse_tls(self) -> None:
        connection = self._connection
        connection.service.log.log(
            logging.WARNING,
            "TLS clients on a ws port",
            "%s: a TLS client on a plain ws port: it must use ws:// here; for wss give the worker "
            "cert and key, or let the proxy in front forward to http:// and not https://",
            connection.peer_address,
        )
        connection.refuse(HttpError(400, "This port does not speak TLS: use ws:// here."))

    def _next(self, parser: RequestParser) -> None:
        connection = self._connection
        while self._requests:
            self._handle(self._requests.pop(0))
            if self.is_answering or connection.is_over or connection.is_open:
                return
            if self._requests and connection.poller.turn.spend():
                connection.keep(b"")
                return
        if parser.error is not None:
            error = parser.error
            connection.service.log.log(
                logging.INFO,
                kind_of("bad requests", error.text),
                "%s: %s",
                connection.peer_address,
                error,
            )
            connection.refuse(error)
        elif self._is_ended:
            connection.finish()
        elif parser.wants_continue:
            parser.wants_continue = False
            connection.write(CONTINUE)

    def _handle(self, request: Request) -> None:
        connection = self._connection
        service = connection.service
        request.remote_ip, request.remote_port = connection.peer
        request.scheme = service.http_scheme
        self._find_client(request)
        connection.request = request
        refusal = service.newcomers.get(connection)
        if refusal is not None:
            connection.refuse(refusal)
            return
        if handshake.is_websocket(request) or "sec-websocket-key" in request.headers:
            try:
                self._key = handshake.check(request)
            except HttpError as error:
                self._refuse(request, error, error.text)
            else:
                self._judge(request, checkup.QUESTION in request.headers)
        elif service.callbacks.on_request is None:
            connection.refuse(handshake.plain_request_error())
        else:
            self._answer(request)

    def _is_direct(self) -> bool:
        """Whether the peer is the client, and its address is spelled as it should be."""
        connection = self._connection
        is_mapped = connection.peer[0][:7] == "::ffff:"
        return not is_mapped and connection.service.trusted_proxies.is_empty

    def _find_client(self, request: Request) -> None:
        if self._is_direct():
            return
        connection = self._connection
        service = connection.service
        peer = connection.peer
        header = connection.proxy_header
        if header is not None:  # HTTP headers then count only where they are asked for
            peer = header.client or peer
            if header.tls is not None:
                request.scheme = "https"
            if service.real_ip_header is None:
                request.remote_ip, request.remote_port = peer
                return
        client = forwarded.resolve(
            *peer, request.headers, service.trusted_proxies, service.real_ip_header
        )
        self._claims = client.claims
        if client.claims:
            service.tell_once("claims", "%s", client.problem)
        elif client.problem is not None and checkup.QUESTION not in request.headers:
            service.log.log(
                logging.WARNING,
                kind_of("unknown real addresses", client.problem),
                "%s: the client's address is unknown: %s",
                connection.peer[0],
                client.problem,
            )
        if peer[0] in service.trusted_proxies:
            request.scheme = forwarded.scheme(request.headers) or request.scheme
        connection.remote_ip = request.remote_ip = client.ip
        connection.remote_port = request.remote_port = client.port

    # A plain request.

    def _answer(self, request: Request) -> None:
        service = self._connection.service
        callback = service.callbacks.on_request
        assert callback is not None
        try:
            result = callback(request)
        except BaseException as error:
            self._callback_raised("on_request", error)
            return
        if isinstance(result, CoroutineType):
            self._wait()
            service.spawn(result, lambda value: self._answered(request, value), self._async_failed)
        else:
            self._respond(request, result)

    def _answered(self, request: Request, result: object) -> None:
        self._stop_waiting()
        if not self._connection.is_over:
            self._respond(request, result)
            if not self._connection.is_over and self._parser is not None:
                self._next(self._parser)

    def _respond(self, request: Request, result: object) -> None:
        connection = self._connection
        service = connection.service
        keeps = (
            request.keep_alive
            and (self._parser is None or self._parser.error is None)
            and not service.is_stopping
            and not service.is_draining
            # A client that keeps sending requests without reading the answers must not fill our
            # memory.
            and connection.unsent < service.limits.max_send_buffer_size
        )
        try:
            answer = response_to(result).encode(
                head_only=request.method == "HEAD", keep_alive=keeps
            )
        except BaseException as error:
            self._callback_raised("on_request", error)
            return
        service.plain_requests += 1
        connection.write(answer)
        if keeps:
            self.is_idle = True
            connection.await_request()
        else:
            connection.finish()

    def _callback_raised(self, name: str, error: BaseException) -> None:
        service = self._connection.service
        service.exceptions += 1
        service.log.exception(error, "%s: %s raised", self._connection.peer_address, name)
        self._connection.refuse(HttpError(500, "Internal Server Error"))

    def _async_failed(self, error: BaseException) -> None:
        self._stop_waiting()
        service = self._connection.service
        service.exceptions += 1
        service.log.exception(error, "%s: a callback raised", self._connection.peer_address)
        if not self._connection.is_over:
            self._connection.refuse(HttpError(500, "Internal Server Error"))

    def _wait(self) -> None:
        self.is_answering = True
        self._connection.service.newcomers.pop(self._connection, None)  # it waits for us
        self._connection.pause(PAUSED_BY_HANDSHAKE)

    def _stop_waiting(self) -> None:
        self.is_answering = self.is_deciding = False
        if not self._connection.is_over:
            self._connection.service.newcomers[self._connection] = None
        self._connection.resume(PAUSED_BY_HANDSHAKE)

    # The handshake.

    def _judge(self, request: Request, is_asked: bool) -> None:
        """Looks at what a handshake offers and where it comes from.

        Args:
            request: it.
            is_asked: whether the doctor wants to know how it is taken.
        """
        connection = self._connection
        service = connection.service
        try:
            if service.compresses:
                offers = request.headers.get_all("sec-websocket-extensions")
                self._compression = negotiate(offers, service.compression) if offers else None
            verdict = service.origins.judge(request, self._shows_certificate)
            if verdict is not OWN and verdict.standing is Standing.REFUSED:
                raise HttpError(403, verdict.words)
        except HttpError as error:
            self._refuse(request, error, f"refused handshakes with {error.status}")
            return
        if is_asked:
            self._headers += (checkup.answer(verdict.standing, request.remote_ip),)
        if verdict is not OWN:  # a proxy may have made other headers of a user's credentials
            request = self._hide_visitor(request, verdict.words)
        if service.subprotocols:
            offered = handshake.offered_subprotocols(request)
            connection.subprotocol = handshake.choose_subprotocol(offered, service.subprotocols)
        self._decide()

    def _shows_certificate(self) -> bool:
        return self._connection.shows_certificate

    def _hide_visitor(self, request: Request, words: str) -> Request:
        """Removes everything that identifies the visitor before the program sees the request."""
        connection = self._connection
        if words:
            connection.service.log.log(
                logging.WARNING, "strangers", "%s: %s", request.remote_ip, words, lines=1
            )
        connection.request = shown = without_identity(request)
        header = connection.proxy_header
        if header is not None:  # a proxy says there what its client's certificate is
            connection.proxy_header = replace(header, tlvs=())
        return shown

    def _refuse(self, request: Request, error: HttpError, kind: str) -> None:
        self._connection.service.log.log(
            logging.WARNING,
            kind,
            "%s: handshake refused with %s",
            request.remote_ip,
            error,
        )
        self._connection.refuse(error)

    def _decide(self) -> None:
        connection = self._connection
        service = connection.service
        refusal = service.newcomers.get(connection)
        if refusal is None and service.is_guarded:
            refusal = service.admission.admit(connection, self._claims)
        if refusal is not None:
            connection.refuse(refusal)
            return
        callback = service.callbacks.on_websocket_connect
        if callback is None:
            self._accept()
            return
        self.is_deciding = True
        try:
            result = callback(connection, connection.request)
        except BaseException as error:
            self.is_deciding = False
            self._callback_raised("on_websocket_connect", error)
            return
        if isinstance(result, CoroutineType):
            self._wait()
            service.spawn(result, lambda _: self._decided(), self._async_failed)
        else:
            self.is_deciding = False
            self._accept()

    def _decided(self) -> None:
        self._stop_waiting()
        if not self._connection.is_over:
            self._accept()

    def _accept(self) -> None:
        connection = self._connection
        if connection.is_over:
            return
        if self._refusal is not None:
            connection.service.tally.refusals[self._refusal.status] += 1
            connection.write(self._refusal.encode(keep_alive=False))
            connection.finish()
            return
        service = connection.service
        refusal = None
        if service.is_stopping:
            refusal = HttpError(503, "The service is stopping; connect again.")
        elif service.is_guarded:  # others may have come while this one was looked at
            refusal = service.admission.check_room(len(service.connections))
        if refusal is not None:
            connection.refuse(refusal)
            return
        agreement, extensions = self._compression or (None, None)
        connection.write(response(self._key, connection.subprotocol, self._headers, extensions))
        session = WebsocketSession(service.limits, agreement, service.compression)
        connection.open(session, self._rest if self._parser is None else self._parser.rest)

    def reject(self, status: int, body: str) -> None:
        """Has the handshake refused when the callback has returned."""
        if not 400 <= status <= 599 and not 300 <= status <= 399:
            raise UsageError(f"reject() takes an HTTP status from 300 to 599, got {status}")
        self._refusal = Response(body, status=status)

    def choose_subprotocol(self, name: str) -> None:
        """Agrees on one that the client offered."""
        request = self._connection.request
        assert request is not None
        offered = handshake.offered_subprotocols(request)
        if name not in offered:
            raise UsageError(f"subprotocol {name!r} was not offered; the client offered {offered}")
        response(self._key, name)  # what a client offers need not be a name
        self._connection.subprotocol = name

    def add_header(self, name: str, value: str) -> None:
        """Adds a header to the 101."""
        response(self._key, headers=[(name, value)])  # raises here, in the program
        self._headers += ((name, value),)

    # What goes wrong.

    def peer_ended(self) -> None:
        """Notes that the peer sends no more; an answer under way is still sent."""
        self._is_ended = True

    def timed_out(self) -> None:
        """Ends a handshake that took too long."""
        connection = self._connection
        if self.is_idle:
            connection.finish()
            return
        connection.service.log.log(
            logging.INFO,
            "handshake timeouts",
            "%s: no handshake within %g s",
            connection.peer_address,
            connection.service.limits.handshake_timeout,
        )
        connection.give_up_handshake(error_response(HttpError(408, "Request Timeout")))
