"""What a service decides about a connection's HTTP: answers to requests, who becomes a websocket.

The protocol itself is an `OpeningSession`; here it meets the program, whose answers may take their
time, and what the service knows of its clients.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from types import CoroutineType
from typing import Any

from lineman.base.loglimit import kind_of
from lineman.errors import HttpError, UsageError
from lineman.net.connection.app_requests import AppRequests
from lineman.net.connection.unopened import Unopened
from lineman.protocols.http.http_session import TlsClientError
from lineman.protocols.http.requests import Request
from lineman.protocols.http.responses import Response
from lineman.protocols.interface import Upgrade
from lineman.protocols.proxies import forwarded
from lineman.protocols.websocket import checkup, handshake
from lineman.protocols.websocket.fast_handshake import Opening
from lineman.protocols.websocket.origins import OWN, Standing, without_identity


class HttpStage(AppRequests):
    """Answers plain requests, and turns one into a websocket.

    Args:
        connection: whose bytes these are.
        since: when it has come, on the wheel's clock.
    """

    __slots__ = ("_refusal",)

    def __init__(self, connection: Unopened, since: float) -> None:
        self._begin_requests(connection, since)
        self._begin_app()
        self._refusal: Response | None = None

    @property
    def is_idle(self) -> bool:
        """Whether a request was answered, and nothing of another one has come."""
        return self._session.is_idle

    def take(self, data: memoryview) -> Upgrade | None:
        """Takes bytes, of which there may be none; answers what is complete.

        Returns:
            What the connection is to go on with, if these bytes have opened a websocket.
        """
        connection, session = self._connection, self._session
        if session.request is not None:
            self._take_more(bytes(data))
            return None
        if session.is_idle and len(data):
            session.wake(connection.service.wheel.now)
        while (event := session.next(data)) is not None:
            upgrade = self._act(event)
            if upgrade is not None:
                if session.has_more:
                    upgrade.rest += session.rest(data)
                return upgrade
            if not session.has_more or connection.is_over:
                break
            if self.is_waiting or connection.poller.turn.spend():
                rest = session.rest(data)
                if self.is_answering:
                    self._take_more(rest)
                elif rest or not self.is_waiting:
                    connection.keep(rest)
                break
        if connection.is_unopened:
            connection.note_unfinished(session.unfinished(), session.held())
            if not session.is_idle and session.request is None:
                self._expect_more()
        return None

    def _expect_more(self) -> None:
        """Has the clock look at a request that is not whole."""
        connection: Any = self._connection
        service = connection.service
        service.wheel.file(connection, service.wheel.now + service.limits.handshake_timeout)

    def _act(self, event: Any) -> Upgrade | None:
        connection = self._connection
        if isinstance(event, Opening):
            return self._begin(event)
        if isinstance(event, Request):
            return self._handle(event)
        if isinstance(event, HttpError):
            if isinstance(event, TlsClientError) and connection.endpoint.is_tls:
                event = HttpError(400, "TLS inside of TLS: somebody in front encrypts twice.")
            if isinstance(event, TlsClientError):
                self._tell_tls_client()
                event = TlsClientError(connection.endpoint.scheme)
            else:
                kind = kind_of("bad requests", event.text)
                log = connection.service.log
                level = logging.INFO if event.status < 500 else logging.WARNING
                log.log(level, kind, "%s: %s", connection.peer_address, event)
            connection.refuse(event)
        else:
            answer = self._session.answer_to(event, connection.service.wheel.now)
            if answer is not None:
                connection.cork(answer)
        return None

    def _begin(self, opening: Opening) -> Upgrade | None:
        """Takes a usual handshake."""
        connection = self._connection
        connection.request = opening.head
        if connection.endpoint.has_websockets and opening.is_bare and self._is_direct():
            return self._decide()
        request = connection.request
        assert request is not None
        if not connection.endpoint.has_websockets:
            self._refuse_websocket(request)
            return None
        self._find_client(request)
        return self._judge(request, False)

    def _tell_tls_client(self) -> None:
        connection = self._connection
        scheme = connection.endpoint.scheme
        connection.service.log.log(
            logging.WARNING,
            f"TLS clients on a {scheme} port",
            "%s: a TLS client on a plain %s port: it must use %s:// here; for %ss give the worker "
            "cert and key, or let the proxy in front forward to http:// and not https://",
            connection.peer_address,
            scheme,
            scheme,
            scheme,
        )

    def _handle(self, request: Request) -> Upgrade | None:
        connection = self._connection
        service = connection.service
        request.remote_ip, request.remote_port = connection.peer
        request.scheme = connection.endpoint.http_scheme
        self._find_client(request)
        connection.request = request
        refusal = service.newcomers.get(connection)
        if refusal is not None:
            connection.refuse(refusal)
        elif not connection.endpoint.has_websockets and request.upgrade:
            self._refuse_websocket(request)
        elif connection.endpoint.has_websockets and self._session.is_handshake(request):
            try:
                self._session.check(request)
            except HttpError as error:
                self._refuse(request, error, error.text)
            else:
                return self._judge(request, checkup.QUESTION in request.headers)
        elif service.callbacks.app is not None and service.callbacks.app.takes_requests:
            self._call_app(request)
        elif service.callbacks.on_request is None:
            no_websocket = connection.endpoint.has_websockets
            connection.refuse(handshake.plain_request_error() if no_websocket else _unanswered())
        else:
            self._answer(request)
        return None

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
        if client.is_untold and service.callbacks.app is not None:
            client = forwarded.ClientAddress(*peer)  # a client on the proxy's own machine
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

    # The handshake.

    def _judge(self, request: Request, is_asked: bool) -> Upgrade | None:
        """Looks at what a handshake offers and where it comes from.

        Args:
            request: it.
            is_asked: whether the doctor wants to know how it is taken.
        """
        connection = self._connection
        service = connection.service
        try:
            if service.compresses:
                self._session.negotiate(request, service.compression)
            verdict = connection.endpoint.origins.judge(request, self._shows_certificate)
            if verdict is not OWN and verdict.standing is Standing.REFUSED:
                raise HttpError(403, verdict.words)
        except HttpError as error:
            self._refuse(request, error, f"refused handshakes with {error.status}")
            return None
        if is_asked:
            self._session.add_header(*checkup.answer(verdict.standing, request.remote_ip))
        if verdict is not OWN:  # a proxy may have made other headers of a user's credentials
            request = self._hide_visitor(request, verdict.words)
        if service.subprotocols:
            self._session.prefer(request, service.subprotocols)
            connection.subprotocol = self._session.subprotocol
        return self._decide()

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

    def _refuse_websocket(self, request: Request) -> None:
        scheme = self._connection.endpoint.scheme
        self._connection.service.log.log(
            logging.WARNING,
            "websockets on an http port",
            "%s: a websocket client at an address for plain requests; give the worker %s:// in "
            "place of %s://, which serves both",
            request.remote_ip or self._connection.peer_address,
            scheme.replace("http", "ws"),
            scheme,
        )
        self._connection.refuse(HttpError(400, "This address serves HTTP, and no websockets."))

    def _refuse(self, request: Request, error: HttpError, kind: str) -> None:
        self._connection.service.log.log(
            logging.WARNING,
            kind,
            "%s: handshake refused with %s",
            request.remote_ip,
            error,
        )
        self._connection.refuse(error)

    def _decide(self) -> Upgrade | None:
        connection = self._connection
        service = connection.service
        refusal = service.newcomers.get(connection)
        if refusal is None and service.is_guarded:
            refusal = service.admission.admit(connection, self._claims)
        if refusal is not None:
            connection.refuse(refusal)
            return None
        if service.callbacks.app is not None and service.callbacks.app.takes_websockets:
            self._call_app_for_websocket()
            return None
        callback = service.callbacks.on_websocket_connect
        if callback is None:
            return self._accept()
        self.is_deciding = True
        try:
            result = callback(connection, connection.request)
        except BaseException as error:
            self.is_deciding = False
            self._callback_raised("on_websocket_connect", error)
            return None
        if isinstance(result, CoroutineType):
            self._wait()
            service.spawn(result, lambda _: self._decided(), self._async_failed)
            return None
        self.is_deciding = False
        return self._accept()

    def _decided(self) -> None:
        self._stop_waiting()
        upgrade = self._accept()
        if upgrade is not None:
            self._connection.upgrade(upgrade)

    def _accept(self) -> Upgrade | None:
        connection = self._connection
        if connection.is_over:
            return None
        if self._refusal is not None:
            connection.service.tally.refusals[self._refusal.status] += 1
            connection.cork(self._refusal.encode(keep_alive=False))
            connection.finish()
            return None
        service = connection.service
        refusal = None
        if service.is_stopping:
            refusal = HttpError(503, "The service is stopping; connect again.")
        elif service.is_guarded:  # others may have come while this one was looked at
            refusal = service.admission.check_room(len(service.connections))
        if refusal is not None:
            connection.refuse(refusal)
            return None
        return self._session.upgrade(service.limits, service.compression)

    def accept_websocket(self, subprotocol: str | None, headers: list[tuple[str, str]]) -> bool:
        """Opens the websocket; False where that is not possible any more.

        Raises:
            UsageError: the subprotocol or a header is wrong; nothing has happened.
        """
        connection: Any = self._connection
        if connection.is_over:
            return False
        if subprotocol is not None:
            self._session.choose_subprotocol(connection.request, subprotocol)
        for name, value in headers:
            self._session.add_header(name, value)
        if subprotocol is not None:
            connection.subprotocol = subprotocol
        exchange, self._exchange = self._exchange, None
        self._stop_waiting()
        upgrade = self._accept()
        if upgrade is None:
            return False
        connection.hand_to(connection.service.callbacks.app.websocket_callbacks, exchange)
        connection.upgrade(upgrade)
        return True

    def reject(self, status: int, body: str) -> None:
        """Has the handshake refused when the callback has returned."""
        if not 400 <= status <= 599 and not 300 <= status <= 399:
            raise UsageError(f"reject() takes an HTTP status from 300 to 599, got {status}")
        self._refusal = Response(body, status=status)

    def reject_with(self, refusal: Response) -> None:
        """Has the handshake refused with this answer when the callback has returned."""
        self._refusal = refusal

    def choose_subprotocol(self, name: str) -> None:
        """Agrees on one that the client offered."""
        request = self._connection.request
        assert request is not None
        self._session.choose_subprotocol(request, name)
        self._connection.subprotocol = name

    def add_header(self, name: str, value: str) -> None:
        """Adds a header to the 101."""
        self._session.add_header(name, value)  # raises here, in the program

    # What goes wrong.

    def on_time(self, now: float) -> float:
        """Ends a handshake that took too long; when to ask again, 0 for not at all."""
        if self.is_answering:
            return self._look_at_answer(now)
        connection = self._connection
        was_idle = self._session.is_idle
        answer, why, again = self._session.on_time(now, now)
        if why is None:
            return again
        if was_idle:
            connection.finish()
            return 0.0
        if self._give_up_decision():
            return 0.0
        connection.service.log.log(
            logging.INFO,
            "handshake timeouts",
            "%s: no handshake within %g s",
            connection.peer_address,
            connection.service.limits.handshake_timeout,
        )
        connection.give_up_handshake(answer)
        return 0.0


def _unanswered() -> HttpError:
    return HttpError(404, "Nothing answers requests here: the worker has no on_request.")
