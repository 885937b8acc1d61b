"""The server's answer to a handshake, as a client reads and judges it, pure.

Source: RFC 6455, section 4.1 (what a client must check); RFC 9112 (the response).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lineman.errors import ProtocolError
from lineman.protocols.http.http_messages import Headers, has_token
from lineman.protocols.websocket.close import PROTOCOL_ERROR
from lineman.protocols.websocket.handshake import accept_key
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions, accept

MAX_HEAD = 64 * 1024
MAX_INTERIM = 16  # answers with a status of 1xx before the real one
MAX_BODY = 1024  # of a refusal, to be quoted: one line is enough

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_END = b"\r\n\r\n"


class NotHttpError(Exception):
    """What came is no HTTP response.

    Args:
        start: its first bytes.
    """

    def __init__(self, start: bytes) -> None:
        super().__init__(f"no HTTP response but {start!r}")
        self.start = start

    @property
    def is_tls(self) -> bool:
        """Whether it is a TLS alert: the server expects TLS here (RFC 8446, section 5.1)."""
        return self.start[:2] == b"\x15\x03"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    Attributes:
        status: such as 101 or 403.
        headers: its header lines.
        text: the start of its body, empty for a 101.
    """

    status: int
    headers: Headers
    text: str = ""


class AnswerReader:
    """Takes the bytes of a response, cut anywhere; `rest` is what follows a 101."""

    __slots__ = ("_answer", "_buffer", "_interim", "_left", "rest")

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: Answer | None = None  # its head is read, its body is not
        self._left = 0
        self._interim = 0
        self.rest = b""

    def feed(self, data: bytes) -> Answer | None:
        """The answer once it is whole, None before.

        Raises:
            NotHttpError: this is no HTTP response, or a head without an end.
        """
        self._buffer += data
        while self._answer is None:
            self._read_head()
            if self._answer is None:
                return None
            if self._answer.status < 200 and self._answer.status != 101:
                self._skip_interim()  # such as 103: the answer follows (RFC 9110, section 15.2)
                continue
            if self._answer.status == 101:
                self.rest = self._buffer
                return self._answer
        return self.finish() if len(self._buffer) >= self._left else None

    def finish(self) -> Answer | None:
        """The answer as far as it came; None if not even its head did."""
        if self._answer is None:
            return None
        body = self._buffer[: self._left].decode("utf-8", "replace")
        return Answer(self._answer.status, self._answer.headers, body)

    def _skip_interim(self) -> None:
        self._answer = None
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise NotHttpError(self._buffer[:16])

    def _read_head(self) -> None:
        if not b"HTTP/1.".startswith(self._buffer[:7]):
            raise NotHttpError(self._buffer[:16])
        head, end, rest = self._buffer.partition(_END)
        if not end:
            if len(self._buffer) > MAX_HEAD:
                raise NotHttpError(self._buffer[:16])
            return
        first, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(first)
        if status is None:
            raise NotHttpError(self._buffer[:16])
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        headers = Headers([(name, value.strip(" \t")) for name, _, value in pairs])
        self._answer = Answer(int(status[1]), headers)
        self._buffer = rest
        # A body of another form is not waited for: the status says enough.
        length = headers.get("content-length") or ""
        self._left = min(int(length), MAX_BODY) if re.fullmatch("[0-9]{1,18}", length) else 0


def objection(
    answer: Answer,
    key: str,
    subprotocols: Sequence[str],
    compression: DeflateOptions | None = None,
) -> str | None:
    """Why a 101 does not open a websocket, in words; None where it does.

    Args:
        answer: a response with the status 101.
        key: the `Sec-WebSocket-Key` that was sent.
        subprotocols: those that were offered.
        compression: what was offered; None for none.
    """
    headers = answer.headers
    if not has_token(headers, "upgrade", "websocket"):
        return "its 101 does not upgrade to websocket"
    if not has_token(headers, "connection", "upgrade"):
        return "its 101 has no Connection: Upgrade"
    if headers.get("sec-websocket-accept") != accept_key(key):
        return "its Sec-WebSocket-Accept does not belong to our key"
    try:
        agreement(answer, compression)
    except ProtocolError as error:
        return error.reason
    chosen = headers.get("sec-websocket-protocol")
    if chosen is not None and chosen not in subprotocols:
        return f"it chose the subprotocol {chosen!r} that was not offered"
    return None


def agreement(answer: Answer, compression: DeflateOptions | None) -> Agreement | None:
    """The compression that a 101 agrees on; None for none.

    Args:
        answer: a response with the status 101.
        compression: what was offered; None for none.

    Raises:
        ProtocolError: it is no answer to the offer.
    """
    chosen = answer.headers.get("sec-websocket-extensions")
    if chosen is None:
        return None
    if compression is None:
        raise ProtocolError(PROTOCOL_ERROR, "it chose an extension that was not offered")
    return accept(chosen, compression)
