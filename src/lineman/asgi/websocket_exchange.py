"""One websocket: what an application receives and sends.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html, WebSocket; and extensions.html: the
denial response.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lineman.asgi.answer_lines import AnswerLines, too_long, too_short
from lineman.asgi.app_calls import AppCall, client_gone, is_of_the_end
from lineman.asgi.app_messages import (
    accept_headers,
    body_of,
    out_of_order,
    payload_of,
    status_of,
    type_of,
)
from lineman.errors import ConnectionLost
from lineman.net.stream.stream_status import PAUSED_BY_INBOX
from lineman.protocols.http.answer_heads import encoded_status_line
from lineman.protocols.http.responses import Response
from lineman.protocols.websocket import close as closing

ACCEPT = "websocket.accept"
SEND = "websocket.send"
CLOSE = "websocket.close"
DENIAL_START = "websocket.http.response.start"
DENIAL_BODY = "websocket.http.response.body"

# Messages, and their size, that wait for the application before the client is read no more.
MAX_MESSAGES = 64
MAX_SIZE = 256 * 1024
# While more bytes than this wait for the client, `send` waits.
HIGH_WATER = 64 * 1024
_MAX_SIZE = MAX_SIZE  # as C numbers
_MAX_MESSAGES = MAX_MESSAGES
_HIGH_WATER = HIGH_WATER
# Bytes of a refusal's body that are left, where they are not counted.
_CHUNKED = -1
_NO_BODY = -2

# What the application has done so far.
ASKED, OPENED, DENYING, ENDED = range(4)


class WebsocketExchange(AppCall):
    """One call for a websocket.

    Args:
        served, scope: see `AppCall`.
        stage: takes the decision (`net.connection.app_requests`); kept until then.
        connection: the client's.

    Attributes:
        has_begun: whether the application has decided.
        is_blocked, is_events, waits_for_body: always false: they are about answers to requests.
    """

    __slots__ = (
        "_connection", "_has_connected", "_head", "_is_paused", "_messages", "_size", "_stage",
        "_state", "close_code", "close_reason", "has_begun", "is_blocked", "is_events",
        "waits_for_body",
    )  # fmt: skip

    def __init__(self, served: Any, scope: dict[str, Any], stage: Any, connection: Any) -> None:
        self._begin_call(served, scope)
        self._stage = stage
        self._connection = connection
        self._has_connected = False
        self._head: Any = None
        self._messages: list[Any] = []  # few: an empty deque has room for 64, and most are idle
        self._size = 0
        self._is_paused = False
        self._state = ASKED
        self.close_code = 0
        self.close_reason = ""
        self.has_begun = self.is_blocked = self.is_events = self.waits_for_body = False

    # What the service tells.

    def note_body(self) -> None:
        """A handshake has no body."""

    def put(self, message: str | bytes) -> None:
        """Takes a message of the client."""
        self._messages.append(message)
        self._size += len(message)
        if self._size >= _MAX_SIZE or len(self._messages) >= _MAX_MESSAGES:
            self._is_paused = True
            self._connection.pause(PAUSED_BY_INBOX)
        if self._waiters:
            self._wake()

    def note_disconnected(self, code: int, reason: str) -> None:
        """The websocket has ended, or the client has gone before it was opened."""
        self.is_gone = True
        self.close_code, self.close_reason = code or closing.ABNORMAL, reason
        self._wake()
        self._served.note_left(self)

    # What the application asks.

    async def receive(self) -> dict[str, Any]:
        """The next message for the application."""
        if self._spend():
            await asyncio.sleep(0)
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        while not self._messages:
            if self.is_gone:
                code, reason = self.close_code, self.close_reason
                return {"type": "websocket.disconnect", "code": code, "reason": reason}
            waiter = self._new_waiter()
            try:
                await waiter
            finally:
                self._drop_waiter(waiter)
        message = self._pop()
        if type(message) is str:
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    def _pop(self) -> Any:
        message = self._messages.pop(0)
        self._size -= len(message)
        if (
            self._is_paused
            and self._size <= _MAX_SIZE // 2
            and len(self._messages) <= _MAX_MESSAGES // 2
        ):
            self._is_paused = False
            self._connection.resume(PAUSED_BY_INBOX)
        return message

    async def send(self, message: Any) -> None:
        """Takes a message of the application.

        Raises:
            ClientGoneError: the client has gone.
            UsageError: the standard does not allow the message, or not now.
        """
        kind = type_of(message)
        if self.is_gone and self._state != ENDED:
            raise client_gone(self.close_code, self.close_reason)
        if self._state == OPENED:
            if kind == SEND:
                self._send(message)
            elif kind == CLOSE:
                self._close(message)
            else:
                raise out_of_order(kind, "on an open websocket", f"'{SEND}', '{CLOSE}'")
        elif self._state == ASKED:
            self._decide(kind, message)
        elif self._state == DENYING and kind == DENIAL_BODY:
            self._deny(message)
        else:
            raise out_of_order(kind, "after the websocket was closed or refused", "nothing more")
        if self._connection.unsent >= _HIGH_WATER and not self._connection.is_over:
            await self._drain()
        elif self._spend():
            await asyncio.sleep(0)

    def _send(self, message: Any) -> None:
        payload = message.get("text")
        if type(payload) is not str or message.get("bytes") is not None:
            payload = payload_of(message)
        connection = self._connection
        if not connection.send(payload) and not connection.is_open:
            raise client_gone(connection.close_code, connection.close_reason)

    async def _drain(self) -> None:
        try:
            await self._connection.drain()
        except ConnectionLost as lost:
            if self._state != ENDED:
                raise client_gone(lost.code, lost.reason) from None

    def _close(self, message: Any) -> None:
        code, reason = message.get("code"), message.get("reason") or ""
        code = closing.NORMAL if code is None else code
        closing.check(code, reason)
        self._state = ENDED
        self._connection.close(None, code, reason)

    # The handshake.

    def _decide(self, kind: str, message: Any) -> None:
        if kind == ACCEPT:
            self._accept(message)
        elif kind == CLOSE:
            self.has_begun = True
            self._state = ENDED
            self._stage.deny_websocket(Response("Forbidden\n", status=403))
            self.note_disconnected(closing.ABNORMAL, "the application refused the websocket")
        elif kind == DENIAL_START:
            status_of(message)
            self._head = (message["status"], AnswerLines(message.get("headers") or ()))
            self.has_begun = True
            self._state = DENYING
        else:
            wanted = f"'{ACCEPT}', '{CLOSE}', '{DENIAL_START}'"
            raise out_of_order(kind, "before it has answered 'websocket.connect'", wanted)

    def _accept(self, message: Any) -> None:
        subprotocol = message.get("subprotocol")
        headers = accept_headers(message)
        if not self._stage.accept_websocket(subprotocol, headers):
            self.note_disconnected(closing.ABNORMAL, "the client has gone")
            raise client_gone(self.close_code, self.close_reason)
        self._stage = None  # the handshake is over, and what it has kept is not needed
        self.has_begun = True
        self._state = OPENED

    def _deny(self, message: Any) -> None:
        """Sends a part of an answer that refuses the handshake, in chunks where it has several."""
        body = body_of(message)
        has_more = bool(message.get("more_body", False))
        data = b""
        status = 0
        if self._head is not None:
            status, head = self._head
            length = head.length if has_more or head.length >= 0 else len(body)
            left = _NO_BODY if status in (204, 304) else length
            data = denial_head(status, head.lines, left)
        else:
            left = self._size  # counts no messages: there are none
        if left == _NO_BODY:
            body = b""
        elif left >= 0:
            if len(body) > left:
                raise too_long(len(body), left)
            left -= len(body)
            if left and not has_more:
                raise too_short(left)
        self._head, self._size = None, left
        if body:
            data += b"%x\r\n%b\r\n" % (len(body), body) if left == _CHUNKED else body
        if not has_more and left == _CHUNKED:
            data += b"0\r\n\r\n"
        self._stage.deny_in_pieces(status, data)
        if not has_more:
            self._size = 0
            self._state = ENDED
            self._stage.end_denial()
            self.note_disconnected(closing.ABNORMAL, "the application refused the websocket")

    # The end of the call.

    def _ended(self, error: BaseException | None) -> None:
        served, connection = self._served, self._connection
        state, self._state = self._state, ENDED
        is_ours = error is None or served.is_ending(error)
        if state == ENDED or self.is_gone or (state == OPENED and not connection.is_open):
            if error is not None and not is_ours and not is_of_the_end(error):
                served.tell_failure(self, error, "raised after its websocket had ended")
            return
        if error is not None and not is_ours:
            served.tell_failure(self, error, "raised")
        if state == OPENED:
            if error is None:
                connection.close(None, closing.NORMAL, "")
            elif not is_ours:
                connection.close(None, closing.INTERNAL_ERROR, "internal error")
            return
        if error is None:
            what = "in the middle of its refusal" if state == DENYING else "without a decision"
            wanted = f"'{DENIAL_BODY}'" if state == DENYING else f"'{ACCEPT}' or '{CLOSE}'"
            served.tell_unfinished(self, f"{what}; ASGI wants {wanted}")
        self._stage.fail_answer(state == DENYING and self._head is None)


def denial_head(status: int, lines: bytes, length: int) -> bytes:
    """The head of an answer that refuses a handshake.

    Args:
        length: bytes of its body; -1 where it comes in chunks, -2 where the status has none.
    """
    framing = b"Transfer-Encoding: chunked\r\n" if length == _CHUNKED else b""
    if length >= 0:
        framing = b"Content-Length: %d\r\n" % length
    line = encoded_status_line(status)
    return b"%b%b%bConnection: close\r\n\r\n" % (line, lines, framing)


def on_message(connection: Any, message: str | bytes) -> None:
    """Gives a message to the exchange of a connection."""
    connection.data.put(message)


def on_close(connection: Any, code: int, reason: str) -> None:
    """Tells the exchange of a connection that it has ended."""
    connection.data.note_disconnected(code, reason)
