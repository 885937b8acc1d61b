"""One client's side of a connection, pure: bytes in, events out, no socket and no clock.

The opening handshake first, then messages; both with the codec of the server.
"""

from __future__ import annotations

import binascii
import os
from dataclasses import dataclass

from lineman.client.answer import Answer, AnswerReader, agreement, objection
from lineman.client.target import Target
from lineman.protocols.websocket import close, frames
from lineman.protocols.websocket.deflate import Compressor, Inflater, compressor
from lineman.protocols.websocket.handshake import client_request
from lineman.protocols.websocket.messages import Decoder, Event
from lineman.protocols.websocket.negotiation import DeflateOptions, offer

# A client that measures takes what the server sends; it is no server that must defend itself.
MAX_MESSAGE_SIZE = 1 << 30


class RefusedError(Exception):
    """The server did not open the websocket.

    Args:
        answer: what it answered.
        objection: what was wrong with a 101; None for every other status.
    """

    def __init__(self, answer: Answer, objection: str | None = None) -> None:
        super().__init__(objection or f"HTTP {answer.status}")
        self.answer = answer
        self.objection = objection


@dataclass(frozen=True, slots=True)
class Opening:
    """What every client's handshake says.

    Attributes:
        target: whom it is sent to.
        headers: further header lines.
        subprotocols: offered, best first.
        compression: offered; None for none.
    """

    target: Target
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: DeflateOptions | None = None

    def request(self, key: str) -> bytes:
        """The handshake as it goes on the line.

        Raises:
            UsageError: a header or a subprotocol would break it.
        """
        target = self.target
        extensions = None if self.compression is None else offer(self.compression)
        return client_request(
            target.authority, target.resource, key, self.headers, self.subprotocols, extensions
        )


class Session:
    """What one client has sent and heard.

    Args:
        opening: what its handshake says.

    Attributes:
        request: the handshake to send.
        is_open: whether the server has agreed.
        answer: what the server answered; None before it has.
        subprotocol: what the server chose; None where it chose none.
    """

    __slots__ = (
        "_compressor", "_decoder", "_key", "_opening", "_reader", "answer", "is_open", "request",
        "subprotocol",
    )  # fmt: skip

    def __init__(self, opening: Opening) -> None:
        self._key = binascii.b2a_base64(os.urandom(16), newline=False).decode("ascii")
        self._opening = opening
        self.request = opening.request(self._key)
        self.answer: Answer | None = None
        self.subprotocol: str | None = None
        self.is_open = False
        self._reader: AnswerReader | None = AnswerReader()
        self._decoder = Decoder(MAX_MESSAGE_SIZE, expects_mask=False)
        self._compressor: Compressor | None = None

    def feed(self, data: bytes | memoryview) -> list[Event]:
        """The events that these bytes complete; look at `is_open` when there are none.

        Raises:
            RefusedError: the server answered the handshake with something else than a good 101.
            NotHttpError: it answered with something that is no HTTP.
        """
        if self._reader is None:
            return self._decoder.feed(data)
        answer = self._reader.feed(bytes(data))
        if answer is None:
            return []
        self._judge(answer)
        rest = self._reader.rest
        self._reader = None
        self.is_open = True
        return self._decoder.feed(rest) if rest else []

    def feed_end(self) -> None:
        """The stream has ended.

        Raises:
            RefusedError: with what had come of a refusal until then.
        """
        answer = None if self._reader is None else self._reader.finish()
        if answer is not None:
            self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        self.answer = answer
        if answer.status != 101:
            raise RefusedError(answer)
        opening = self._opening
        wrong = objection(answer, self._key, opening.subprotocols, opening.compression)
        if wrong is not None:
            raise RefusedError(answer, wrong)
        self.subprotocol = answer.headers.get("sec-websocket-protocol")
        agreed = agreement(answer, opening.compression)
        if agreed is not None and opening.compression is not None:
            inflater = Inflater(agreed, MAX_MESSAGE_SIZE, is_server=False)
            self._decoder = Decoder(MAX_MESSAGE_SIZE, expects_mask=False, inflater=inflater)
            self._compressor = compressor(agreed, opening.compression, is_server=False)

    def encode(self, opcode: int, payload: bytes, mask: bytes) -> bytes:
        """A frame of its own, compressed where that is agreed on and gains; it must be sent.

        Args:
            opcode: of a whole message, or of a control frame.
            payload: its bytes.
            mask: four bytes that nobody can guess.
        """
        if self._compressor is not None and opcode in (frames.TEXT, frames.BINARY):
            shrunk = self._compressor.shrink(payload)
            if shrunk is not None:
                return frames.encode_masked(opcode, shrunk, mask, frames.FIN | frames.RSV1)
        return frames.encode_masked(opcode, payload, mask)


class Masks:
    """Fresh masks: four random bytes at a time, drawn from the system in large portions.

    A mask must not be predictable (RFC 6455, section 10.3); a system call for each would be most
    of what a message costs here.
    """

    __slots__ = ("_next", "_pool")

    PORTION = 4096

    def __init__(self) -> None:
        self._pool = b""
        self._next = 0

    def take(self) -> bytes:
        """The next four bytes."""
        start = self._next
        if start >= len(self._pool):
            self._pool = os.urandom(self.PORTION)
            start = 0
        self._next = start + 4
        return self._pool[start : start + 4]


def close_frame(code: int, masks: Masks) -> bytes:
    """A client's close frame; 1005 makes one without a code."""
    return frames.encode_masked(frames.CLOSE, close.encode(code, ""), masks.take())
