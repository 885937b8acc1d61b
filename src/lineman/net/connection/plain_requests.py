"""The answers to plain requests: whole ones, and those that take their time or come in pieces.

While an answer is made, the client is still read, so that its end is noticed; what it has sent
behind its request waits. A client that ends its side gets a whole answer all the same. An answer
that comes in pieces ends with its client.
"""

from __future__ import annotations

import asyncio
import logging
from types import CoroutineType
from typing import Any

from lineman.errors import ConnectionLost, HttpError, UsageError
from lineman.net.connection.answer_body import AnswerBody
from lineman.net.connection.unopened import Unopened
from lineman.net.stream.stream_status import PAUSED_BY_HANDSHAKE
from lineman.protocols.http.event_session import EventSession
from lineman.protocols.http.event_stream import COMMENT
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.responses import EventStream, Response, response_to
from lineman.protocols.interface import Upgrade
from lineman.protocols.websocket.opening_session import OpeningSession

# Seconds between two looks at an answer that takes its time.
LOOK = 5.0


class PlainRequests:
    """Answers the requests of one connection, one after the other.

    Args:
        connection: whose requests these are.
        since: when it has come, on the wheel's clock.

    Attributes:
        is_waiting: whether the program's answer is waited for, to a request or a handshake.
        is_answering: whether it is the answer to a request.
        is_deciding: whether `on_websocket_connect` is at work.
    """

    __slots__ = (
        "_body", "_claims", "_connection", "_has_peer_ended", "_seen_at", "_seen_bytes", "_session",
        "_task",
        "is_answering", "is_deciding", "is_waiting",
    )  # fmt: skip

    def _begin_requests(self, connection: Unopened, since: float) -> None:
        """In place of `__init__`, as a call in C."""
        self._connection = connection
        self._session = OpeningSession.__new__(OpeningSession)
        self._session._begin(connection.service.limits, since)
        self.is_waiting = self.is_answering = self.is_deciding = self._has_peer_ended = False
        self._claims: tuple[tuple[str, str], ...] = ()  # addresses, where it is in doubt
        self._body: AnswerBody | None = None  # that is being sent
        self._task: asyncio.Task[None] | None = None  # which sends it
        self._seen_bytes = 0
        self._seen_at = 0.0

    @property
    def is_cut(self) -> bool:
        """Whether an end now could be taken for that of the answer."""
        return self.is_answering and self._body is not None and self._session.ends_by_closing

    # The program's answer.

    def _answer(self, request: Request) -> None:
        service = self._connection.service
        callback = service.callbacks.on_request
        assert callback is not None
        try:
            result = callback(request)
        except HttpError as refusal:
            self._refuse_request(refusal)
            return
        except BaseException as error:
            self._callback_raised("on_request", error)
            return
        if isinstance(result, CoroutineType):
            self._wait_for_answer()
            service.spawn(result, self._answered, self._answer_failed)
        else:
            self._respond(result)

    def _answered(self, result: object) -> None:
        if self._connection.is_over:
            return
        self._respond(result)
        if self._body is None and self._connection.is_unopened:
            self._go_on()

    def _respond(self, result: object) -> None:
        connection = self._connection
        service = connection.service
        try:
            response = response_to(result)
            if isinstance(response, EventStream) and self._session.request.method == "GET":
                self._open_events(response)
                return
            if not response.is_whole:
                self._send_body(response)
                return
            answer = self._session.respond(response, self._may_keep(), service.wheel.now)
        except BaseException as error:
            self._callback_raised("on_request", error)
            return
        service.plain_requests += 1
        connection.cork(answer)
        if self._session.is_over:
            connection.finish()

    def _open_events(self, response: EventStream) -> None:
        """Opens a stream of events, as a handshake opens a websocket."""
        connection: Any = self._connection
        service = connection.service
        if not service.callbacks.takes_event_streams:
            raise UsageError(
                "on_request returned an EventStream, and a Gateway's clients are websockets and "
                "streams; yield ServerSentEvents from it, or return an EventStream in a Worker"
            )
        refusal = service.newcomers.get(connection)
        if service.is_stopping or service.is_draining:
            refusal = HttpError(503, "The service is stopping; connect again.")
        elif refusal is None and service.is_guarded:
            refusal = service.admission.admit(connection, self._claims)
            refusal = refusal or service.admission.check_room(len(service.connections))
        if refusal is not None:
            connection.refuse(refusal)
            return
        head = self._session.begin(response, None, None, False)
        session = EventSession(service.limits, not self._session.ends_by_closing)
        service.plain_requests += 1
        if self.is_waiting:
            self._stop_waiting()
        connection.upgrade(Upgrade(head, session, b""))

    def _may_keep(self) -> bool:
        """Whether another request is welcome."""
        connection = self._connection
        service = connection.service
        return (
            not service.is_stopping
            and not service.is_draining
            and not self._has_peer_ended
            # A client that keeps sending requests without reading the answers must not fill our
            # memory.
            and connection.unsent < service.limits.max_send_buffer_size
        )

    def _refuse_request(self, error: HttpError) -> None:
        """Answers with an error that the program raised, or that a form of the client is."""
        headers = [("X-Content-Type-Options", "nosniff")]
        headers += [pair for pair in error.headers if pair[0].lower() != "connection"]
        self._respond(Response(f"{error.text}\n", status=error.status, headers=headers))

    def _callback_raised(self, name: str, error: BaseException) -> None:
        service = self._connection.service
        service.exceptions += 1
        service.log.exception(error, "%s: %s raised", self._connection.peer_address, name)
        self._connection.refuse(HttpError(500, "Internal Server Error"))

    def _answer_failed(self, error: BaseException) -> None:
        if isinstance(error, HttpError) and not self._connection.is_over:
            self._refuse_request(error)
            self._go_on()
        else:
            self._async_failed(error)

    def _async_failed(self, error: BaseException) -> None:
        self._stop_waiting()
        service = self._connection.service
        service.exceptions += 1
        service.log.exception(error, "%s: a callback raised", self._connection.peer_address)
        if not self._connection.is_over:
            self._connection.refuse(HttpError(500, "Internal Server Error"))

    # Waiting.

    def _wait_for_answer(self) -> None:
        self.is_waiting = self.is_answering = True
        self._connection.service.newcomers.pop(self._connection, None)  # it waits for us

    def _stop_waiting(self) -> None:
        self.is_waiting = self.is_answering = self.is_deciding = False
        if not self._connection.is_over:
            self._connection.service.newcomers[self._connection] = None
        self._connection.resume(PAUSED_BY_HANDSHAKE)

    def _hold(self, data: bytes) -> None:
        """Keeps what has come behind the request that is being answered."""
        if data:
            self._connection.pause(PAUSED_BY_HANDSHAKE)
            self._connection.keep(data)

    def _go_on(self) -> None:
        """Takes the requests that have come behind the one that is answered."""
        self._stop_waiting()
        if not self._connection.is_over:
            self._connection.take_bytes(memoryview(b""))

    # An answer in pieces.

    def _send_body(self, response: Response) -> None:
        connection: Any = self._connection
        if not self.is_waiting:
            self._wait_for_answer()
        self._body = body = AnswerBody(connection, self._session, response, self._may_keep)
        loop = connection.service.loop
        self._task = loop.create_task(self._send(body))
        connection.service.keep(self._task)
        self._seen_at = connection.service.wheel.now
        connection.service.wheel.file(connection, self._seen_at + LOOK)

    async def _send(self, body: AnswerBody) -> None:
        try:
            await body.send()
        except BaseException as error:
            self._body_failed(body, error)
        else:
            self._body_sent()

    def _body_sent(self) -> None:
        connection = self._connection
        self._body = self._task = None
        if connection.is_over:
            return
        connection.cork(self._session.finish(connection.service.wheel.now))
        if self._session.is_over or self._has_peer_ended:
            connection.finish()
        else:
            self._go_on()

    def _body_failed(self, body: AnswerBody, error: BaseException) -> None:
        """Ends an answer that cannot be sent whole so that its client does not take it for one."""
        connection = self._connection
        self._task = None
        if connection.is_over:  # it has ended meanwhile: that is what was raised here
            return
        if body.is_file and isinstance(error, ConnectionLost):
            connection.finish()
            return
        if not body.has_begun:
            self._body = None
            if isinstance(error, HttpError):
                self._refuse_request(error)
                self._go_on()
                return
            self._callback_raised("on_request", error)
            return
        service = connection.service
        service.exceptions += 1
        service.log.exception(
            error, "%s: an answer broke off after its head was sent", connection.peer_address
        )
        if self._session.ends_by_closing:
            connection.destroy()
        else:
            connection.finish()

    def leave_idle(self) -> None:
        """Ends a connection that waits for another request, or gets events without end."""
        if self._session.is_idle:
            self._connection.finish()
        else:
            self.end_events()

    def end_events(self) -> None:
        """Ends a stream of events, which has no end of its own; its client connects again."""
        body, task = self._body, self._task
        connection = self._connection
        if body is None or task is None or not body.is_events or connection.is_over:
            return
        connection.cork(self._session.finish(connection.service.wheel.now))
        connection.finish()
        task.cancel()

    # The client's end.

    def on_peer_ended(self) -> None:
        """The client sends no more: it may still read a whole answer."""
        self._has_peer_ended = True
        connection = self._connection
        connection.request.note_disconnected(connection.service.call)
        body, task = self._body, self._task
        if body is not None and task is not None and not body.is_file and not connection.is_over:
            connection.finish()
            task.cancel()

    def on_end(self) -> None:
        """The connection is gone."""
        if not self.is_answering:
            return
        self._connection.request.note_disconnected(self._connection.service.call)
        if self._task is not None:
            self._task.cancel()

    # The clock.

    def _look_at_answer(self, now: float) -> float:
        """Gives up a client that takes nothing of its answer; when to look again."""
        connection, body = self._connection, self._body
        limits = connection.service.limits
        written = connection.bytes_written
        if body is None or written != self._seen_bytes:
            self._seen_bytes = written
            self._seen_at = now
        elif body.is_blocked:
            if limits.unfinished_timeout and now - self._seen_at >= limits.unfinished_timeout:
                line = "%s: took nothing of its answer for %g s (unfinished_timeout)"
                log = connection.service.log
                seconds = now - self._seen_at
                log.log(logging.INFO, "stalled answers", line, connection.peer_address, seconds)
                connection.give_up_handshake(None)
                return 0.0
        elif (
            body.is_events
            and self._session.sends_body
            and 0 < limits.ping_interval <= now - self._seen_at
        ):
            connection.cork(self._session.piece(COMMENT))  # proxies end what is silent
        return now + LOOK
