"""One request and its answer: what an application receives and sends.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html, HTTP; and extensions.html: trailers
and path send.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lineman.asgi import path_send
from lineman.asgi.answer_lines import AnswerLines, encode_trailers, too_long, too_short
from lineman.asgi.app_calls import AppCall, client_gone, is_of_the_end
from lineman.asgi.app_messages import body_of, out_of_order, status_of, type_of
from lineman.errors import UsageError
from lineman.protocols.http.incoming_body import IncomingBody

START = "http.response.start"
BODY = "http.response.body"
TRAILERS = "http.response.trailers"
PATH = "http.response.pathsend"
EARLY_HINT = "http.response.early_hint"

# While more bytes than this wait for the client, `send` waits.
HIGH_WATER = 64 * 1024
_HIGH_WATER = HIGH_WATER  # as a C number

# What the application has done so far.
NOTHING, STARTED, SENDING, TRAILING, DONE = range(5)


class HttpExchange(AppCall):
    """One call for a request.

    Args:
        served, scope: see `AppCall`.
        stage: takes what is sent (`net.connection.app_requests`).
        connection: the client's.
        body: of the request.

    Attributes:
        has_begun: whether the head of the answer was sent.
        is_blocked: whether the client must read on before more is sent.
        is_events: whether the answer is a stream of events, which has no end of its own.
        waits_for_body: whether the application waits for more of the request's body.
    """

    __slots__ = (
        "_connection", "_has_request", "_head", "_incoming", "_left", "_sends", "_stage", "_state",
        "_status", "_wants_trailers", "has_begun", "is_blocked", "is_events", "waits_for_body",
    )  # fmt: skip

    def __init__(
        self, served: Any, scope: dict[str, Any], stage: Any, connection: Any, body: Any
    ) -> None:
        self._begin_call(served, scope)
        self._stage = stage
        self._connection = connection
        self._incoming: Any = body if isinstance(body, IncomingBody) else None
        self._has_request = True  # whether a part of it may still be given
        self._state = NOTHING
        self._status = 0
        self._head: Any = None
        self._left = -1  # bytes of the body that `Content-Length` has promised; -1 for any number
        self._sends = True
        self._wants_trailers = False
        self.has_begun = self.is_blocked = self.is_events = self.waits_for_body = False

    # What the service tells.

    def note_body(self) -> None:
        """More of the body is there, or its end."""
        self._wake()

    def note_disconnected(self, code: int, reason: str) -> None:
        """The client has gone, or takes no more."""
        self.is_gone = True
        self._wake()
        self._served.note_left(self)

    # What the application asks.

    async def receive(self) -> dict[str, Any]:
        """The next message for the application."""
        if self._spend():
            await asyncio.sleep(0)
        while True:
            if self.is_gone or self._state == DONE:
                return {"type": "http.disconnect"}
            if self._has_request:
                message: dict[str, Any] | None = self._next_of_body()
                if message is not None:
                    return message
            self.waits_for_body = self._has_request
            waiter = self._new_waiter()
            try:
                await waiter
            finally:
                self.waits_for_body = False
                self._drop_waiter(waiter)

    def _next_of_body(self) -> Any:
        body = self._incoming
        if body is None:
            self._has_request = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if body.waiting or body.is_whole:
            data = body.take()
            has_more = not body.is_whole
            if has_more:
                self._stage.body_taken()
            else:
                self._has_request = False
                self._incoming = None
            return {"type": "http.request", "body": data, "more_body": has_more}
        if body.is_cut:
            return {"type": "http.disconnect"}
        if body.wants_continue and not self.has_begun:
            self._stage.ask_for_body()
        return None

    async def send(self, message: Any) -> None:
        """Takes a message of the application.

        Raises:
            ClientGoneError: the client has gone.
            UsageError: the standard does not allow the message, or not now.
        """
        kind = type_of(message)
        if self._connection.is_over and self._state != DONE:
            self.is_gone = True
            self._served.note_left(self)
            raise client_gone(self._connection.close_code, self._connection.close_reason)
        if kind == BODY:
            self._take_body(message)
        elif kind == START:
            self._take_start(message)
        elif kind == TRAILERS:
            self._take_trailers(message)
        elif kind == PATH:
            await self._take_path(message)
        elif kind != EARLY_HINT:  # a server may leave these out
            raise out_of_order(kind, "for a request", self._allowed())
        if self._connection.unsent >= _HIGH_WATER and not self._connection.is_over:
            await self._drain()
        elif self._spend():
            await asyncio.sleep(0)

    async def _drain(self) -> None:
        self.is_blocked = True
        try:
            await self._connection.drain()
        except Exception as error:
            if not self._connection.is_over:
                raise
            if self._state != DONE:
                raise client_gone(0, str(error)) from None
        finally:
            self.is_blocked = False

    def _allowed(self) -> str:
        if self._state == NOTHING:
            return f"'{START}'"
        if self._state == TRAILING:
            return f"'{TRAILERS}'"
        return "nothing more" if self._state == DONE else f"'{BODY}'"

    def _take_start(self, message: Any) -> None:
        if self._state != NOTHING:
            raise out_of_order(START, self._where(), self._allowed())
        self._status = status_of(message)
        self._head = AnswerLines(message.get("headers") or ())
        self._wants_trailers = bool(message.get("trailers", False))
        self._state = STARTED

    def _where(self) -> str:
        if self._state == NOTHING:
            return f"before '{START}'"
        if self._state == TRAILING:
            return "after the whole body of an answer with trailers"
        return "after the answer was whole" if self._state == DONE else "twice"

    def _take_body(self, message: Any) -> None:
        if self._state != SENDING and self._state != STARTED:
            raise out_of_order(BODY, self._where(), self._allowed())
        body = body_of(message)
        is_last = not message.get("more_body", False)
        if self._state == STARTED:
            head = self._head
            if (
                is_last
                and not self._wants_trailers
                and (head.length < 0 or head.length == len(body))
            ):
                self._send_whole(head, body)
                return
            self._send_head(head)
        self._send_piece(body)
        if is_last:
            self._end_body()

    def _send_whole(self, head: Any, body: bytes) -> None:
        """Sends an answer that is one piece."""
        self._state = DONE
        self.has_begun = True
        self._wake()
        self._stage.send_whole(self._status, head.lines, len(body), body, head.closes)

    def _send_head(self, head: Any) -> None:
        self._state = SENDING
        self.has_begun = True
        self.is_events = b"text/event-stream" in head.lines
        self._left = head.length
        self._sends = self._stage.send_head(self._status, head.lines, head.length, head.closes)

    def _send_piece(self, body: bytes) -> None:
        if not self._sends:
            return
        if self._left >= 0:
            if len(body) > self._left:
                raise too_long(len(body), self._left)
            self._left -= len(body)
        if body:
            self._stage.send_piece(body)

    def _end_body(self) -> None:
        if self._sends and self._left > 0:
            raise too_short(self._left)
        if self._wants_trailers:
            self._state = TRAILING
        else:
            self._end(b"")

    def _end(self, trailers: bytes) -> None:
        self._state = DONE
        self._wake()
        self._stage.end_answer(trailers)

    def _take_trailers(self, message: Any) -> None:
        if self._state != TRAILING:
            raise out_of_order(TRAILERS, self._where(), self._allowed())
        lines = encode_trailers(message.get("headers") or ())
        self._head = lines if self._head is None else self._more_trailers(lines)
        if not message.get("more_trailers", False):
            self._end(self._head if self._takes_trailers() else b"")

    def _more_trailers(self, lines: bytes) -> bytes:
        before = self._head
        return before + lines if isinstance(before, bytes) else lines

    def _takes_trailers(self) -> bool:
        tokens = [value for name, value in self.scope["headers"] if name == b"te"]
        return any(b"trailers" in value.lower() for value in tokens)

    async def _take_path(self, message: Any) -> None:
        if self._state != STARTED:
            raise out_of_order(PATH, self._where(), self._allowed())
        with path_send.open_file(message.get("path")) as (file, size):
            head = self._head
            if head.length not in (-1, size):
                raise UsageError(
                    f"content-length is {head.length}, and the file of '{PATH}' has {size} bytes"
                )
            head.length = size
            self._send_head(head)
            self._left = -1
            if self._sends:
                self.is_blocked = True
                try:
                    await path_send.send_file(self._connection, file, size)
                except Exception as error:
                    if not self._connection.is_over:
                        raise
                    raise client_gone(0, str(error)) from None
                finally:
                    self.is_blocked = False
        self._end_body()

    # The end of the call.

    def _ended(self, error: BaseException | None) -> None:
        served = self._served
        if self._state == DONE:
            if error is not None and not served.is_ending(error):
                served.tell_failure(self, error, "raised after its answer was sent")
            return
        self._state = state = DONE if self.is_gone else self._state
        if self.is_gone or self._connection.is_over:
            if error is not None and not is_of_the_end(error) and not served.is_ending(error):
                served.tell_failure(self, error, "raised after its client had gone")
            self._stage.fail_answer(True)
            return
        if error is None:
            served.tell_unfinished(self, self._missing(state))
        elif not served.is_ending(error):
            how = "raised in the middle of its answer" if self.has_begun else "raised"
            served.tell_failure(self, error, how)
        self._stage.fail_answer(self.has_begun)

    def _missing(self, state: int) -> str:
        if state == NOTHING:
            return f"without an answer; ASGI wants '{START}' and '{BODY}'"
        if state == STARTED:
            return f"after '{START}', which must be followed by '{BODY}'"
        if state == TRAILING:
            return f"without the '{TRAILERS}' that it has announced"
        return f"in the middle of its answer; the last '{BODY}' has no 'more_body'"
