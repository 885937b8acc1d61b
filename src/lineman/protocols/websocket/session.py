"""A websocket after its handshake, either end of it, pure: bytes and a clock in, bytes out.

The whole life of one: messages both ways, pings, the closing handshake, and what the clock says.
Nobody else makes or reads a frame of a connection.

Source: RFC 6455, sections 5 (frames), 6 (messages), 7 (closing), 10.3 (masks); RFC 7692.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.errors import ProtocolError, UsageError
from lineman.protocols.events import PROGRESS, Close
from lineman.protocols.interface import Session
from lineman.protocols.websocket import frames, heartbeat
from lineman.protocols.websocket.close import encode
from lineman.protocols.websocket.control import Event, Ping
from lineman.protocols.websocket.decoder import Decoder
from lineman.protocols.websocket.deflate import Compressor, Inflater, compressor
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions

# A payload from here on goes to the kernel from where it is, without being copied first.
LARGE = 16 * 1024
UNCOMPRESSED = 0  # the share key of those
MAX_HEADER = 14  # of a frame, its mask included (RFC 6455, section 5.2)

FIRST_OF_TEXT = frames.FIN | frames.TEXT
FIRST_OF_BINARY = frames.FIN | frames.BINARY
FIRST_OF_CLOSE = frames.FIN | frames.CLOSE
FIRST_OF_PING = frames.FIN | frames.PING
FIRST_OF_PONG = frames.FIN | frames.PONG

_LARGE = LARGE  # as C numbers
_MAX_HEADER = MAX_HEADER
_FIRST_OF_TEXT = FIRST_OF_TEXT
_FIRST_OF_BINARY = FIRST_OF_BINARY
_MASKED = frames.MASKED

UNANSWERED_CLOSE = "the peer did not finish closing in time"


class SessionLimits(Protocol):
    """What a session must know of a service's limits."""

    @property
    def max_message_size(self) -> int:
        """Bytes of a message, all its fragments together, inflated."""
        ...

    @property
    def ping_interval(self) -> float:
        """Seconds of silence after which the peer is pinged; 0 for never."""
        ...

    @property
    def ping_timeout(self) -> float:
        """Seconds of silence after a ping after which it is given up."""
        ...

    @property
    def close_timeout(self) -> float:
        """Seconds that it has to answer our close frame."""
        ...


class WebsocketSession(Session):
    """One end of an open websocket.

    Args:
        limits: sizes and times.
        agreement: how messages are compressed; None for not at all.
        options: how we compress, where that was agreed on.
        masks: gives four fresh bytes that nobody can guess, for each frame of a client; None on
            the server's side, which masks nothing.

    Attributes:
        agreement: as given.
        has_more: see `Session`.
    """

    __slots__ = (
        "_asked_at", "_compressor", "_decoder", "_has_heard", "_has_said", "_limits", "_masks",
        "agreement",
    )  # fmt: skip

    def __init__(
        self,
        limits: SessionLimits,
        agreement: Agreement | None = None,
        options: DeflateOptions | None = None,
        masks: Callable[[], bytes] | None = None,
    ) -> None:
        self._begin(limits, agreement, options, masks)

    def _begin(
        self,
        limits: SessionLimits,
        agreement: Agreement | None,
        options: DeflateOptions | None,
        masks: Callable[[], bytes] | None,
    ) -> None:
        """All of `__init__`, as a call in C."""
        self.has_more = False
        self.agreement = agreement
        self._limits = limits
        self._masks = masks
        self._compressor: Compressor | None = None
        if agreement is not None:
            self._compressor = compressor(agreement, options or DeflateOptions(), masks is None)
        self._decoder: Decoder | None = None  # made for the first bytes: many never send any
        # When the question left that the peer has not answered: a ping, or our close frame.
        # Negative for none.
        self._asked_at = -1.0
        self._has_said = False  # our close frame
        self._has_heard = False  # the peer's, or what was none of the protocol

    @property
    def is_open(self) -> bool:
        """Whether messages go both ways."""
        return not self._has_said and not self._has_heard

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent or received any more: the stream below may end."""
        return self._has_said and self._has_heard

    def use_limits(self, limits: SessionLimits) -> None:
        """See `Session`."""
        self._limits = limits
        if self._decoder is not None:
            self._decoder.limit(limits.max_message_size)

    # What comes.

    def next(self, data: memoryview) -> Event | None:
        """The next of what these bytes mean; see `Session`.

        A message, a `Ping`, a `Pong`, `PROGRESS`; at the end a `Close` or a `ProtocolError`, to
        which `answer_to` has the answer. Messages still come after our own close frame.
        """
        decoder = self._decoder
        if decoder is None:
            self.has_more = False
            if self._has_heard:
                return None
            decoder = self._decoder = self._new_decoder()
        size = len(data)
        message = decoder.take_whole(buffers.start_of(data), size)
        if message is not None:
            self.has_more = decoder._position < size
            if not self.has_more:
                decoder._position = 0
            return message
        event = decoder.next(data)
        if event is None:
            self.has_more = False
            return None
        self.has_more = decoder._position < size or not decoder.has_taken(data)
        if isinstance(event, (Close, ProtocolError)):
            self._has_heard = True
            self._decoder = None
            self.has_more = False
        return event

    def feed(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """All events that these bytes complete, in order; for callers without turns.

        The data is not kept: the caller may use its buffer again.
        """
        data = memoryview(data)
        events: list[Event] = []
        while (event := self.next(data)) is not None:
            if event is not PROGRESS:
                events.append(event)
            if not self.has_more:
                break
        return events

    def rest(self, data: memoryview) -> bytes:
        """What of these bytes was not taken yet; see `Session`."""
        return b"" if self._decoder is None else self._decoder.rest(data)

    def unfinished(self) -> Any:
        """The payload so far of a message that has begun and not ended; None without one."""
        return None if self._decoder is None else self._decoder._message

    def held(self) -> int:
        """Bytes of memory that this takes."""
        return 0 if self._decoder is None else self._decoder.held()

    def _new_decoder(self) -> Decoder:
        max_size, is_server = self._limits.max_message_size, self._masks is None
        agreement = self.agreement
        inflater = None if agreement is None else Inflater(agreement, max_size, is_server)
        return Decoder(max_size, is_server, inflater)

    # What goes.

    def encode_into(self, message: Any, room: Room, size: int) -> int:
        """Writes the frame of a message; see `Session`."""
        if self._compressor is None:
            payload = buffers.payload_of(message)
            if payload.size >= 0:
                first = _FIRST_OF_TEXT if payload.is_text else _FIRST_OF_BINARY
                return self._put(first, payload.data, payload.size, room, size)
        return -1

    def encode_memory(self, is_text: bool, data: Memory, count: int, room: Room, size: int) -> int:
        """Writes the frame of a message that lies in memory; see `Session`."""
        if self._compressor is not None:
            return -1
        return self._put(_FIRST_OF_TEXT if is_text else _FIRST_OF_BINARY, data, count, room, size)

    def _put(self, first: int, payload: Memory, count: int, room: Room, size: int) -> int:
        if self._has_said or count >= _LARGE or count + _MAX_HEADER > size:
            return -1
        return self._frame(first, payload, count, room)

    def _frame(self, first: int, payload: Memory, count: int, room: Room) -> int:
        """Writes a frame where there is room for it; its size."""
        head = frames.put_header(room, first, count)
        if self._masks is None:
            buffers.copy(room, head, payload, 0, count)
            return head + count
        mask = self._masks()
        room[1] |= _MASKED
        buffers.copy(room, head, buffers.data_of(mask), 0, 4)
        word = frames.word_of(buffers.data_of(mask), 0)
        frames.mask_into(room, head + 4, payload, count, word)
        return head + 4 + count

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """Header and payload of a message's frame; see `Session`.

        Where it is compressed it must be sent: with context takeover the next builds on it.
        """
        first, payload = to_frame(message)
        self._check_order()
        first, payload = self._shrunk(first, payload)
        head = frames.header(first & 0x0F, len(payload), first & 0xF0)
        if self._masks is None:
            return head, payload, b""
        frame = self._whole(first, payload)
        return frame[: len(head) + 4], frame[len(head) + 4 :], b""

    def encode(self, message: Any) -> bytes:
        """The frame of a message, compressed where that is agreed on and gains."""
        if type(message) is bytes or type(message) is str:
            size = len(message) + _MAX_HEADER
            data = buffers.new_store(size)
            size = self.encode_into(message, buffers.store_room(data), size)
            if size >= 0:
                return buffers.take_store(data, size)
        first, payload = to_frame(message)
        return self.frame(first, payload)

    def frame(self, first: int, payload: bytes) -> bytes:
        """The frame of a message that `to_frame` has taken apart; see `encode`."""
        self._check_order()
        first, payload = self._shrunk(first, payload)
        return self._whole(first, payload)

    def share_key(self) -> object:
        """See `Session`: of those who compress alike, or not at all; a client's masks differ."""
        if self._masks is not None:
            return None
        return UNCOMPRESSED if self.agreement is None else self.agreement.share_key

    def waiting(self, message: Any) -> Any:
        """See `Session`: with context takeover a message is compressed when it really leaves."""
        if self.agreement is not None and self.agreement.share_key is None:
            return to_frame(message)
        return self.encode(message)

    def leaving(self, entry: Any) -> bytes:
        """See `Session`."""
        if isinstance(entry, bytes):
            return entry
        first, payload = entry
        first, payload = self._shrunk(first, payload)
        return self._whole(first, payload)

    def _check_order(self) -> None:
        if self._has_said:
            raise RuntimeError("defect: a message behind the close frame")

    def _shrunk(self, first: int, payload: bytes) -> tuple[int, bytes]:
        shrunk = None if self._compressor is None else self._compressor.shrink(payload)
        return (first, payload) if shrunk is None else (first | frames.RSV1, shrunk)

    def _whole(self, first: int, payload: bytes) -> bytes:
        count = len(payload)
        data = buffers.new_store(count + _MAX_HEADER)
        size = self._frame(first, buffers.data_of(payload), count, buffers.store_room(data))
        return buffers.take_store(data, size)

    def ping(self, payload: bytes = b"") -> bytes:
        """A ping that is not the clock's.

        Args:
            payload: at most 125 bytes, which the pong brings back.
        """
        if len(payload) > frames.MAX_CONTROL_PAYLOAD:
            raise UsageError(f"a ping of {len(payload)} bytes; 125 are the most")
        if self._has_said:
            raise RuntimeError("defect: a ping behind the close frame")
        return self._whole(FIRST_OF_PING, payload)

    # The end.

    def closing(self, code: int, reason: str, now: float) -> bytes | None:
        """Our close frame; None where it was made already.

        Until the peer's comes its messages still come, and pings are not answered any more.

        Raises:
            UsageError: for a code that must not be sent; see `close.encode`.
        """
        payload = encode(code, reason)
        return None if self._has_said else self._say_close(payload, now)

    def answer_to(self, event: Any, now: float) -> bytes | None:
        """What an event is answered with: a pong, or our close frame where it was not made yet.

        A close frame is answered with its own code (RFC 6455, section 5.5.1), a broken rule with
        the code that stands for it (section 7.1.7).
        """
        if isinstance(event, Ping):
            return None if self._has_said else self._whole(FIRST_OF_PONG, event.payload)
        if not isinstance(event, (Close, ProtocolError)):
            return None
        self._has_heard = True
        self._decoder = None
        if self._has_said:
            return None
        reason = event.reason if isinstance(event, ProtocolError) else ""
        return self._say_close(encode(event.code, reason), now)

    def _say_close(self, payload: bytes, now: float) -> bytes:
        self._has_said = True
        self._asked_at = now
        return self._whole(FIRST_OF_CLOSE, payload)

    # The clock.

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        """The actions that are due: a ping to a silent peer, its end, or the end of a slow close.

        See `Session`. A server that has received and sent a close frame ends TCP, and waits for
        nothing; a client waits for the server to do it (RFC 6455, section 7.1.1).
        """
        limits = self._limits
        if self._has_said:
            if self._has_heard and self._masks is None:
                return None, None, 0.0
            due = self._asked_at + limits.close_timeout
            return None, UNANSWERED_CLOSE if now >= due else None, due
        if not limits.ping_interval or self._has_heard:
            return None, None, 0.0
        if not is_reading:
            self._asked_at = -1.0
            return None, None, now + limits.ping_interval
        step, again = heartbeat.decide(
            now, last_received, self._asked_at, limits.ping_interval, limits.ping_timeout
        )
        if step is heartbeat.Step.GIVE_UP:
            return None, f"{heartbeat.NO_PONG} within {limits.ping_timeout:g} s", again
        if step is heartbeat.Step.PING:
            self._asked_at = now
            return self._whole(FIRST_OF_PING, b""), None, again
        return None, None, again


def to_frame(message: object) -> tuple[int, bytes]:
    """The first byte of a message's frame, and its payload.

    Raises:
        UsageError: it is neither text nor bytes.
    """
    message = plain(message)
    if isinstance(message, bytes):
        return FIRST_OF_BINARY, message
    try:
        return FIRST_OF_TEXT, message.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the text cannot be sent as UTF-8: {error}") from None


def plain(message: object) -> str | bytes:
    """The message as Python's own `str` or `bytes`: as it is now, and with no methods but theirs.

    Raises:
        UsageError: it is neither text nor bytes.
    """
    if type(message) is str or type(message) is bytes:
        return message
    if isinstance(message, str):
        return str.__str__(message)
    if isinstance(message, (bytes, bytearray, memoryview)):
        return memoryview(message).tobytes()
    raise UsageError(
        f"send() takes str or bytes, got {type(message).__name__}; "
        "for structured data use json.dumps(...)"
    )
