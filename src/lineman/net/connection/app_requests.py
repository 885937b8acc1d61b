"""Requests and handshakes that an application answers, as its standard lets it.

The application is an object that the service is given (`AppCalls`). It makes an exchange for each
request and each websocket; the exchange calls back here, with what goes on the line.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

from lineman.errors import HttpError
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.plain_requests import LOOK, PlainRequests
from lineman.net.stream.stream_status import PAUSED_BY_HANDSHAKE, PAUSED_BY_INBOX
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.requests import CONTINUE
from lineman.protocols.http.responses import Response

# While more bytes than this of a body wait for the application, no further ones are read.
BODY_HIGH_WATER = 64 * 1024
# Seconds after which the log names an application that has not begun to answer.
SILENT = 60.0


FULL = HttpError(
    503, "The service has as many requests as it takes; try again.", (("Retry-After", "1"),)
)


class Exchange(Protocol):
    """One call of the application, for a request or a websocket.

    Attributes:
        task: the task that runs it.
        has_begun: whether the head of its answer was sent.
        is_blocked: whether it waits for the client to read on.
        waits_for_body: whether it waits for bytes of the request's body.
    """

    task: asyncio.Task[None]
    has_begun: bool
    is_blocked: bool
    waits_for_body: bool

    def note_body(self) -> None:
        """More of the body is there, or its end."""

    def note_disconnected(self, code: int, reason: str) -> None:
        """The client has gone; for a request the code says nothing."""


class AppCalls(Protocol):
    """An application that answers for a service.

    Attributes:
        takes_requests: whether it answers requests.
        takes_websockets: whether it opens websockets.
        websocket_callbacks: of its websockets.
    """

    takes_requests: bool
    takes_websockets: bool
    websocket_callbacks: Callbacks

    def is_full(self) -> bool:
        """Whether it takes no further request now."""

    def begin_request(self, stage: Any, connection: Any, request: Request) -> Exchange:
        """Calls the application for a request."""

    def begin_websocket(self, stage: Any, connection: Any, request: Request) -> Exchange:
        """Calls the application for a handshake."""


class AppRequests(PlainRequests):
    """Hands the requests of one connection to the application.

    Attributes:
        server: address and port that they come in at, once somebody has asked; for exchanges.
    """

    __slots__ = ("_exchange", "_has_been_told", "server")

    def _begin_app(self) -> None:
        """In place of `__init__`."""
        self._exchange: Any = None
        self._has_been_told = False
        self.server: Any = None
        app = self._connection.service.callbacks.app
        self._session.streams = app is not None and app.takes_requests

    @property
    def is_cut(self) -> bool:
        """Whether an end now could be taken for that of the answer."""
        has_answer = self._body is not None or self._exchange is not None
        return self.is_answering and has_answer and self._session.ends_by_closing

    # A request.

    def _call_app(self, request: Request) -> None:
        connection: Any = self._connection
        service = connection.service
        if service.callbacks.app.is_full():
            self._refuse_request(FULL)
            return
        self._wait_for_answer()
        self._has_been_told = False
        self._seen_at = service.wheel.now
        self._exchange = service.callbacks.app.begin_request(self, connection, request)
        service.wheel.file(connection, self._seen_at + LOOK)

    def _take_more(self, data: bytes) -> None:
        """Takes what comes while an answer is made: more of the body, or what waits behind it."""
        if not data:
            return
        if not self._session.has_open_body:
            self._hold(data)
            return
        error = self._session.take_body(data)
        body = self._session.request.body
        if body.waiting > BODY_HIGH_WATER:
            self._connection.pause(PAUSED_BY_INBOX)
        exchange = self._exchange
        if exchange is None:
            return
        if error is None:
            exchange.note_body()
        elif exchange.has_begun:
            exchange.note_disconnected(0, error.text)
        else:
            self._exchange = None
            self._connection.refuse(error)
            exchange.note_disconnected(0, error.text)

    def body_taken(self) -> None:
        """The application has taken what waited of a body: more is read."""
        self._connection.resume(PAUSED_BY_INBOX)

    def ask_for_body(self) -> None:
        """Tells a client that holds its body back to send it."""
        self._session.request.body.wants_continue = False
        self._connection.cork(CONTINUE)

    # Its answer.

    def send_whole(self, status: int, lines: bytes, length: int, body: bytes, closes: bool) -> None:
        """Sends an answer whose body is all there.

        Args:
            status, lines, length: see `HttpSession.begin_encoded`.
            body: all of it.
            closes: whether the connection shall end behind it.
        """
        session, connection = self._session, self._connection
        head = session.begin_encoded(status, lines, length, not closes and self._may_keep())
        answer = head + body if body and session.sends_body else head
        connection.service.plain_requests += 1
        connection.cork(answer)
        self.end_answer(b"")

    def send_head(self, status: int, lines: bytes, length: int, closes: bool) -> bool:
        """Sends the head of an answer in pieces; whether its body is sent."""
        may_keep = not closes and self._may_keep()
        head = self._session.begin_encoded(status, lines, length, may_keep)
        self._connection.service.plain_requests += 1
        self._connection.cork(head)
        return self._session.sends_body

    def send_piece(self, data: bytes) -> None:
        """Sends a piece, not empty, of a body."""
        self._connection.cork(self._session.piece(data))

    def end_answer(self, trailers: bytes) -> None:
        """The answer is whole: the next request has its turn, though the call may go on."""
        connection = self._connection
        self._exchange = None
        connection.cork(self._session.finish(connection.service.wheel.now, trailers))
        connection.resume(PAUSED_BY_INBOX)
        if self._session.is_over or self._has_peer_ended:
            connection.finish()
        else:
            self._go_on()

    def fail_answer(self, has_begun: bool) -> None:
        """The application has failed: 500 where nothing was sent, else an end that shows it."""
        connection = self._connection
        self._exchange = None
        if connection.is_over:
            return
        self._stop_waiting()
        if not has_begun:
            connection.refuse(HttpError(500, "Internal Server Error"))
        elif self._session.ends_by_closing:
            connection.destroy()
        else:
            connection.finish()

    # A handshake.

    def _call_app_for_websocket(self) -> None:
        connection: Any = self._connection
        service = connection.service
        self.is_deciding = True
        self._wait()
        self._exchange = service.callbacks.app.begin_websocket(self, connection, connection.request)

    def _wait(self) -> None:
        self.is_waiting = True
        self._connection.service.newcomers.pop(self._connection, None)  # it waits for us
        self._connection.pause(PAUSED_BY_HANDSHAKE)

    def deny_websocket(self, response: Response) -> None:
        """Refuses the handshake with a whole answer."""
        self._exchange = None
        self._stop_waiting()
        connection = self._connection
        if connection.is_over:
            return
        connection.service.tally.refusals[response.status] += 1
        connection.cork(response.encode(keep_alive=False))
        connection.finish()

    def deny_in_pieces(self, status: int, data: bytes) -> None:
        """Sends a part of an answer that refuses the handshake."""
        if status:
            self._connection.service.tally.refusals[status] += 1
        self._connection.cork(data)

    def end_denial(self) -> None:
        """That answer is whole."""
        self._exchange = None
        self._stop_waiting()
        if not self._connection.is_over:
            self._connection.finish()

    # The client's end.

    def on_peer_ended(self) -> None:
        """The client sends no more: it may still read a whole answer."""
        if self._exchange is None:
            PlainRequests.on_peer_ended(self)
            return
        self._has_peer_ended = True
        self._exchange.note_disconnected(0, "")

    def on_end(self) -> None:
        """The connection is gone."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            PlainRequests.on_end(self)
            return
        connection: Any = self._connection
        exchange.note_disconnected(connection.close_code or 1006, connection.close_reason)

    def end_events(self) -> None:
        """Ends a stream of events, which has no end of its own; its client connects again."""
        exchange = self._exchange
        if exchange is None or not self.is_answering:
            PlainRequests.end_events(self)
        elif exchange.is_events and not self._connection.is_over:
            self._exchange = None
            self._connection.cork(self._session.finish(self._connection.service.wheel.now))
            self._connection.finish()
            exchange.note_disconnected(0, "")

    # The clock.

    def _look_at_answer(self, now: float) -> float:
        """Looks at an application that answers, and at its client; when to look again."""
        exchange = self._exchange
        if exchange is None:
            return PlainRequests._look_at_answer(self, now)
        connection: Any = self._connection
        limits, log = connection.service.limits, connection.service.log
        written, read = connection.bytes_written, connection.bytes_read
        if written + read != self._seen_bytes:
            self._seen_bytes = written + read
            self._seen_at = now
        is_stalled = exchange.is_blocked or exchange.waits_for_body
        silence = now - self._seen_at
        if is_stalled and 0 < limits.unfinished_timeout <= silence:
            what = "took nothing of its answer" if exchange.is_blocked else "sent nothing of a body"
            line = "%s: " + what + " for %g s (unfinished_timeout)"
            log.log(logging.INFO, "stalled answers", line, connection.peer_address, silence)
            connection.give_up_handshake(None)
            return 0.0
        is_silent = not is_stalled and not exchange.has_begun and silence >= SILENT
        if is_silent and not self._has_been_told:
            self._has_been_told = True
            log.log(
                logging.WARNING,
                "applications that do not answer",
                "%s: %s has sent no 'http.response.start' for %g s; if it does not wait on "
                "purpose, look at what it awaits",
                connection.peer_address,
                exchange,
                silence,
            )
        return now + LOOK

    def _give_up_decision(self) -> bool:
        """Whether an application has not decided in time about a handshake; it is refused then."""
        exchange = self._exchange
        connection: Any = self._connection
        if exchange is None or not self.is_deciding:
            return False
        self._exchange = None
        connection.service.exceptions += 1
        connection.service.log.log(
            logging.ERROR,
            "applications that do not answer",
            "%s: %s has neither accepted nor closed for %g s (handshake_timeout); ASGI: the server "
            "waits for 'websocket.accept' or 'websocket.close'",
            connection.peer_address,
            exchange,
            connection.service.limits.handshake_timeout,
        )
        connection.refuse(HttpError(500, "Internal Server Error"))
        exchange.note_disconnected(1006, "the application did not answer in time")
        return True
