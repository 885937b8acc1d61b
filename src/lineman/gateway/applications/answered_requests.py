"""Requests that an application answers in a business worker, for clients of gateway processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from lineman.asgi.http_exchange import HttpExchange
from lineman.asgi.served_app import ServedApp
from lineman.errors import ConnectionLost
from lineman.gateway.applications.send_window import SendWindow
from lineman.gateway.wire import told_tls
from lineman.gateway.wire.request_messages import (
    AnswerEnd,
    AnswerFailed,
    AnswerHead,
    AnswerPiece,
    AskCallerRoom,
    BodyPart,
    BodyTaken,
    CallApp,
    CallerGone,
    CallerRoom,
)
from lineman.links.framing import Message
from lineman.links.link import Link
from lineman.protocols.http.http_messages import Headers, Request
from lineman.protocols.http.incoming_body import IncomingBody
from lineman.protocols.websocket import close as closing

# Bytes of a body in one message.
PIECE = 256 * 1024


class AnsweredRequest:
    """One request: the stage that takes its answer, and its client's connection.

    It has what `HttpExchange` uses of `AppRequests` and of a `Connection`.

    Args:
        link: to the gateway process that has the client.
        call: the request.

    Attributes:
        is_over: whether the client has gone.
        server: where the request has come in.
        tls: of its connection; None without it.
    """

    fd = -1

    def __init__(self, link: Link, call: CallApp) -> None:
        self._link = link
        self._number = call.number
        self._is_head = call.method == "HEAD"
        self._window = SendWindow(lambda: link.post(AskCallerRoom(call.number)))
        self.server = call.server
        self.tls = told_tls.hear(call.tls)
        self.peer = (call.remote_ip, call.remote_port)
        self.is_over = False
        self.close_code = 0
        self.close_reason = ""
        self.body = IncomingBody() if call.has_more or call.body else None
        if self.body is not None:
            self.body.extend(call.body)
            self.body.is_whole = not call.has_more
            self.body.wants_continue = call.wants_continue

    def _post(self, message: Message, size: int = 0) -> None:
        if not self.is_over:
            self._link.post(message, size)

    # The answer.

    def send_whole(self, status: int, lines: bytes, length: int, body: bytes, closes: bool) -> None:
        """Sends an answer whose body is all there."""
        if len(body) > PIECE and not self._is_head:
            self.send_head(status, lines, length, closes)
            self.send_piece(body)
            self.end_answer(b"")
            return
        head = AnswerHead(self._number, status, lines, length, closes, True, body)
        self._post(head, len(body))

    def send_head(self, status: int, lines: bytes, length: int, closes: bool) -> bool:
        """Sends the head of an answer; whether its body is sent."""
        self._post(AnswerHead(self._number, status, lines, length, closes))
        return not self._is_head and status not in (204, 304)

    def send_piece(self, data: bytes) -> None:
        """Sends a part of the body."""
        for start in range(0, len(data), PIECE):
            part = data[start : start + PIECE]
            self._post(AnswerPiece(self._number, part), len(part))
        self._window.note_sent(len(data))

    def end_answer(self, trailers: bytes) -> None:
        """The answer is whole."""
        self._post(AnswerEnd(self._number, trailers))

    def fail_answer(self, has_begun: bool) -> None:
        """The application has failed."""
        self._post(AnswerFailed(self._number, has_begun))

    def body_taken(self) -> None:
        """The application has taken what has come of the body."""
        self._post(BodyTaken(self._number, False))

    def ask_for_body(self) -> None:
        """Tells a client that holds its body back to send it."""
        if self.body is not None:
            self.body.wants_continue = False
        self._post(BodyTaken(self._number, True))

    # The connection.

    @property
    def unsent(self) -> int:
        """See `SendWindow`."""
        return self._window.unsent

    async def drain(self) -> None:
        """Returns when what was sent has left.

        Raises:
            ConnectionLost: the client has gone.
        """
        await self._window.wait()
        if self.is_over:
            raise ConnectionLost(self.close_code, self.close_reason)

    async def send_file(self, file: int, offset: int, count: int) -> int:
        """Sends a part of a file; how many bytes it took, 0 at the file's end."""
        await self.drain()
        data = os.pread(file, min(count, PIECE), offset)
        if data:
            self.send_piece(data)
        return len(data)

    def give_room(self) -> None:
        """What was sent has left."""
        self._window.give_room()

    def note_gone(self) -> None:
        """The client has gone."""
        self.is_over = True
        self.close_code, self.close_reason = closing.ABNORMAL, "the client has gone"
        self._window.give_room()


class AnsweredRequests:
    """The requests that one business worker answers.

    Args:
        served: calls the application.

    Attributes:
        handlers: what is done with each kind of message of a link.
    """

    def __init__(self, served: ServedApp) -> None:
        self._served = served
        self._open: dict[tuple[Link, int], tuple[AnsweredRequest, HttpExchange]] = {}
        self.handlers: dict[type[Message], Callable[[Link, Any], None]] = {
            CallApp: self._on_call,
            BodyPart: self._on_body,
            CallerGone: self._on_gone,
            CallerRoom: self._on_room,
        }

    def _on_call(self, link: Link, call: CallApp) -> None:
        answered = AnsweredRequest(link, call)
        headers = Headers([(name, value) for name, value in call.headers])
        body: Any = b"" if answered.body is None else answered.body
        request = Request(call.method, call.target, call.version, headers, body)
        request.remote_ip, request.remote_port = call.remote_ip, call.remote_port
        request.scheme = call.scheme
        exchange = self._served.begin_request(answered, answered, request)
        key = (link, call.number)
        self._open[key] = (answered, exchange)
        exchange.task.add_done_callback(lambda _: self._open.pop(key, None))

    def _on_body(self, link: Link, part: BodyPart) -> None:
        found = self._open.get((link, part.number))
        if found is not None and (body := found[0].body) is not None:
            body.extend(part.data)
            body.is_whole = part.is_last
            found[1].note_body()

    def _on_gone(self, link: Link, message: CallerGone) -> None:
        self._note_gone((link, message.number))

    def _on_room(self, link: Link, message: CallerRoom) -> None:
        if (found := self._open.get((link, message.number))) is not None:
            found[0].give_room()

    def _note_gone(self, key: tuple[Link, int]) -> None:
        if (found := self._open.get(key)) is not None:
            answered, exchange = found
            answered.note_gone()
            exchange.note_disconnected(closing.ABNORMAL, "the client has gone")

    def leave_link(self, link: Link) -> None:
        """A gateway process is gone, and its clients with it."""
        for key in [each for each in self._open if each[0] is link]:
            self._note_gone(key)

    def end_events(self) -> None:
        """Ends the streams of events, which have no end of their own; their clients come back."""
        for key, (answered, exchange) in list(self._open.items()):
            if exchange.is_events:
                answered.end_answer(b"")
                self._note_gone(key)

    async def wait(self, seconds: float) -> None:
        """Returns when all are answered, or after so many seconds."""
        tasks = [exchange.task for _, exchange in self._open.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, seconds))
