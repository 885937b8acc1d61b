"""From bytes to messages: the receiving half of the websocket protocol, pure.

`Decoder.feed` takes bytes as they come from the wire, cut anywhere, and returns what they
complete: `str` for a text message, `bytes` for a binary one, `Ping`, `Pong`, `Close`, and at the
end a `ProtocolError` if the peer broke a rule. What came before the broken rule is in the same
list before it, so nothing that was received well is lost.

Source: RFC 6455, sections 5 (frames), 6 (messages), 7 (closing), 8.1 (UTF-8).
"""

from __future__ import annotations

import codecs

from lineman.base import buffers
from lineman.base.buffers import Memory
from lineman.errors import ProtocolError
from lineman.protocols.events import PROGRESS, Close
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.assembly import Assembly
from lineman.protocols.websocket.close import (
    INVALID_DATA,
    MESSAGE_TOO_BIG,
    PROTOCOL_ERROR,
    decode,
)
from lineman.protocols.websocket.control import Event, Ping, Pong
from lineman.protocols.websocket.deflate import STREAM_SIZE, Inflater
from lineman.protocols.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    MASKED,
    MAX_CONTROL_PAYLOAD,
    PING,
    PONG,
    RSV,
    RSV1,
    TEXT,
)

__all__ = ["PROGRESS", "Close", "Decoder", "Event", "Ping", "Pong"]


# Frames that complete nothing, after which `next` gives the caller its turn.
FRAMES = 64
_FRAMES = FRAMES  # as a C number


class Decoder:
    """Takes bytes, gives events.

    Args:
        max_message_size: bytes of payload a message may have, all its fragments together.
        expects_mask: True on the server's side, where every frame must be masked; False on
            the client's, where none may be.
        inflater: takes compressed messages; None where no compression was agreed on.
    """

    __slots__ = (
        "_control",
        "_expects_mask",
        "_fin",
        "_head",
        "_inflater",
        "_is_compressed",
        "_is_inflating",
        "_is_open",
        "_kind",
        "_mask",
        "_max_size",
        "_message",
        "_opcode",
        "_position",
        "_remaining",
        "_tail",
    )

    def __init__(
        self, max_message_size: int, expects_mask: bool = True, inflater: Inflater | None = None
    ) -> None:
        self._max_size = max_message_size
        self._expects_mask = expects_mask
        self._inflater = inflater
        self._is_compressed = False  # the message that is unfinished
        self._is_inflating = False  # the payload that has arrived is not inflated yet
        self._head = b""  # a frame header that has not arrived whole
        self._opcode = -1  # of the frame whose payload is arriving; -1 between frames
        self._fin = False
        self._mask = 0  # its first byte lowest
        self._remaining = 0  # payload bytes of this frame still to come
        self._kind = 0  # TEXT or BINARY while a message is unfinished
        self._message: Assembly | None = None  # its payload so far
        self._tail = b""  # of a text message: the start of a character that is not whole yet
        self._control: bytearray | None = None  # payload of a control frame that is arriving
        self._position = 0  # in the bytes that are being fed
        self._is_open = True

    def limit(self, max_message_size: int) -> None:
        """Has another limit hold from the next message on, or from the next frame of this one."""
        self._max_size = max_message_size
        if self._inflater is not None:
            self._inflater.limit(max_message_size)

    @property
    def is_mid_message(self) -> bool:
        """Whether a message or a frame has begun and not ended; False after the last event."""
        return self._kind != 0 or self._opcode >= 0 or bool(self._head)

    def held(self) -> int:
        """Bytes of memory that an unfinished message takes; 0 without one."""
        if self._message is None:
            return 0
        return self._message.capacity() + (STREAM_SIZE if self._is_compressed else 0)

    def feed(self, data: bytes | bytearray | memoryview) -> list[Event]:
        """What these bytes complete, in order.

        After a `Close` or a `ProtocolError`, which are always the last of their list, whatever
        follows is ignored. The data is not kept: the caller may use its buffer again.
        """
        data = memoryview(data)
        events: list[Event] = []
        while (event := self.next(data)) is not None:
            if event is not PROGRESS:
                events.append(event)
        return events

    def next(self, data: memoryview) -> Event | None:
        """The next of what `feed` would return, without a list for it, or `PROGRESS`.

        To be called with the same bytes until it returns None or `has_taken` is true; only then
        with those that follow. A caller that continues later asks for the `rest`, and passes that.
        """
        if not self._is_open:
            return None
        message = self.take_whole(buffers.start_of(data), len(data))
        if message is not None:
            return message
        try:
            return self._parse(data)
        except ProtocolError as error:
            # Its traceback holds the frames of the callers: as an event it would keep their
            # buffers locked, and alive until a garbage collection.
            error.__traceback__ = error.__context__ = None
            self._end()
            return error

    def has_taken(self, data: memoryview) -> bool:
        """Whether `next` would return None for these bytes: then they are done with."""
        if self._position < len(data) or self._is_inflating:
            return False
        self._position = 0
        return True

    def rest(self, data: memoryview) -> bytes:
        """What of these bytes was not taken yet; `next` is to be called with it."""
        rest = bytes(data[self._position :])
        self._position = 0
        return rest

    def _end(self) -> None:
        self._is_open = self._is_inflating = False
        self._kind = 0
        self._opcode = -1
        self._message = self._control = None
        self._head = self._tail = b""

    def take_whole(self, data: Memory, size: int) -> str | bytes | None:
        """The message of the next frame where that is all of it and all here, in one go.

        None for any other, and for what is wrong, which `next` then takes with all of its checks.

        Args:
            data: where the bytes lie that `next` would be called with.
            size: how many these are.
        """
        if self._opcode >= 0 or self._kind or self._head or not self._expects_mask:
            return None
        frame = buffers.beyond(data, self._position)
        sizes = frames.ordinary(frame, size - self._position)
        if sizes.head == 0 or sizes.payload > self._max_size:
            return None
        mask = frames.word_of(frame, sizes.head - 4)
        if frame[0] & 0x0F != TEXT:
            clear = frames.unmask(frame, sizes.head, sizes.payload, mask)
            self._position += sizes.head + sizes.payload
            return clear
        text = frames.unmask_ascii(frame, sizes.head, sizes.payload, mask)
        if text is None:
            clear = frames.unmask(frame, sizes.head, sizes.payload, mask)
            text = buffers.text_of(buffers.data_of(clear), 0, sizes.payload)
        if text is not None:
            self._position += sizes.head + sizes.payload
        return text

    def _parse(self, data: memoryview) -> Event | None:
        size = len(data)
        count = 0
        while True:
            if self._is_inflating:
                return self._inflate_on()
            if self._position == size:
                break
            count += 1
            if count > _FRAMES:
                return PROGRESS
            if self._opcode < 0:
                self._position = self._read_header(data, self._position)
                if self._opcode < 0:
                    break  # the header goes on in the bytes that follow
            start = self._position
            if self._remaining > size - start:  # not a sum: compiled, it would overflow
                self._position = size
                self._take_part(data, start, size)
                continue
            self._position = start + self._remaining
            event = self._take_end(data, start, self._position)
            if event is not None:
                return event
        self._position = 0
        return None

    def _read_header(self, data: memoryview, position: int) -> int:
        """Opens a frame, if its header is whole; the position after the header."""
        kept = len(self._head)
        if kept:
            head = self._head + bytes(data[position : position + 14 - kept])
            length = self._check_header(memoryview(head), 0)
        else:
            length = self._check_header(data, position)
        if length == 0:
            self._head = self._head + bytes(data[position:])
            return len(data)
        self._head = b""
        return position + length - kept

    def _check_header(self, head: memoryview, start: int) -> int:
        """Reads a header into the frame's fields; its length, or 0 while it is not whole.

        Each rule is checked as soon as the byte that it concerns is there.
        """
        available = len(head) - start
        first = head[start]
        opcode = first & 0x0F
        self._check_opcode(first, opcode)
        if available < 2:
            return 0
        second = head[start + 1]
        if (second & MASKED != 0) != self._expects_mask:
            raise ProtocolError(
                PROTOCOL_ERROR,
                "the client's frame is not masked" if self._expects_mask else "masked by a server",
            )
        payload = second & 0x7F
        length = 2
        if opcode >= CLOSE:
            if payload > MAX_CONTROL_PAYLOAD:
                raise ProtocolError(PROTOCOL_ERROR, "control frame of more than 125 bytes")
        elif payload >= 126:
            length = 4 if payload == 126 else 10
            if available < length:
                return 0
            payload = self._extended_length(head, start + 2, start + length)
        if opcode < CLOSE:
            self._check_size(payload)
        if self._expects_mask:
            if available < length + 4:
                return 0
            self._mask = frames.word_of(buffers.part(head, start + length), 0)
            length += 4
        if opcode in (TEXT, BINARY):
            self._is_compressed = first & RSV1 != 0
        self._opcode = opcode
        self._fin = first & FIN != 0
        self._remaining = payload
        return length

    def _check_opcode(self, first: int, opcode: int) -> None:
        if first & RSV and not (
            # The first frame of a compressed message (RFC 7692, section 6).
            first & RSV == RSV1 and self._inflater is not None and opcode in (TEXT, BINARY)
        ):
            raise ProtocolError(PROTOCOL_ERROR, "reserved bits are set and no extension is agreed")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise ProtocolError(PROTOCOL_ERROR, f"reserved opcode 0x{opcode:X}")
            if not first & FIN:
                raise ProtocolError(PROTOCOL_ERROR, "fragmented control frame")
        elif opcode == CONTINUATION:
            if not self._kind:
                raise ProtocolError(PROTOCOL_ERROR, "continuation of a message that never began")
        elif opcode > BINARY:
            raise ProtocolError(PROTOCOL_ERROR, f"reserved opcode 0x{opcode:X}")
        elif self._kind:
            raise ProtocolError(PROTOCOL_ERROR, "new message before the last one was finished")

    def _extended_length(self, head: memoryview, start: int, stop: int) -> int:
        # Looked at before it is computed: compiled, the sum below would overflow in silence.
        if head[start] & 0x80 and stop - start == 8:
            raise ProtocolError(PROTOCOL_ERROR, "frame length with its highest bit set")
        payload = 0
        for position in range(start, stop):
            payload = payload << 8 | head[position]
        if payload < (126 if stop - start == 2 else 65536):
            raise ProtocolError(PROTOCOL_ERROR, "frame length not in its shortest form")
        return payload

    def _check_size(self, payload: int) -> None:
        # What is compressed is measured as it is inflated, and by itself here.
        have = 0 if self._message is None or self._is_compressed else self._message.size
        if payload > self._max_size - have:
            raise ProtocolError(
                MESSAGE_TOO_BIG, f"message of more than {self._max_size} bytes (max_message_size)"
            )

    def _take_part(self, data: memoryview, start: int, stop: int) -> None:
        """Keeps payload of a frame whose end is not here yet."""
        size = stop - start
        self._remaining -= size
        if self._opcode >= CLOSE:
            if self._control is None:
                self._control = bytearray()
            self._control += self._unmask(data, start, stop)
        else:
            self._append(data, start, stop)
        by = 8 * (size & 3)  # the mask of what follows begins that many bits further
        if by:  # in C there is no shift by 32
            self._mask = (self._mask >> by | self._mask << (32 - by)) & 0xFFFFFFFF

    def _take_end(self, data: memoryview, start: int, stop: int) -> Event | None:
        """Ends a frame; what it completes."""
        opcode = self._opcode
        if opcode >= CLOSE:
            payload = self._unmask(data, start, stop)
            if self._control is not None:
                payload = bytes(self._control + payload)
                self._control = None
            self._opcode = -1
            return self._take_control(opcode, payload)
        if self._fin and not self._kind:  # the ordinary case: one frame, one message, one read
            clear = self._unmask(data, start, stop)
            if self._is_compressed:
                inflated = self._open_inflater().begin(clear)
                if inflated is None:
                    self._remaining = 0
                    self._kind = opcode
                    self._message = Assembly()
                    self._is_inflating = True
                    return None
                clear = inflated
            self._opcode = -1
            return _text(clear) if opcode == TEXT else clear
        self._remaining = 0
        self._append(data, start, stop)
        return None if self._is_inflating else self._end_frame()

    def _end_frame(self) -> str | bytes | None:
        self._opcode = -1
        return self._finish_message() if self._fin else None

    def _take_control(self, opcode: int, payload: bytes) -> Ping | Pong | Close:
        if opcode == PING:
            return Ping(payload)
        if opcode == PONG:
            return Pong(payload)
        code, reason = decode(payload)
        self._end()
        return Close(code, reason)

    def _unmask(self, data: memoryview, start: int, stop: int) -> bytes:
        if start == stop:
            return b""
        return frames.unmask(buffers.part(data, start), 0, stop - start, self._mask)

    def _append(self, data: memoryview, start: int, stop: int) -> None:
        if self._message is None:
            self._kind = self._opcode
            self._message = Assembly()
        if self._is_compressed:
            clear = self._unmask(data, start, stop)
            self._open_inflater().put(clear, self._fin and not self._remaining)
            self._is_inflating = True
            return
        self._message.append(data[start:stop], self._mask, self._remaining)
        if self._kind == TEXT:
            self._check_text(self._unmask(data, start, stop))

    def _open_inflater(self) -> Inflater:
        assert self._inflater is not None  # or the reserved bit would have been refused
        return self._inflater

    def _inflate_on(self) -> Event:
        """Inflates the next piece of what has arrived."""
        assert self._message is not None
        inflater = self._open_inflater()
        clear = inflater.take()
        self._message.append(memoryview(clear), 0, 0)
        if self._kind == TEXT:
            self._check_text(clear)
        if not inflater.is_hungry:
            return PROGRESS
        self._is_inflating = False
        message = None if self._remaining else self._end_frame()
        return PROGRESS if message is None else message

    def _check_text(self, clear: bytes) -> None:
        """Refuses bad UTF-8 now, not when the message ends (RFC 6455, section 8.1)."""
        chunk = self._tail + clear
        try:
            _, used = codecs.utf_8_decode(chunk, "strict", False)
        except UnicodeDecodeError:
            raise ProtocolError(INVALID_DATA, "text that is not UTF-8") from None
        tail = chunk[used:]
        # Python waits for the third byte of a surrogate, but no UTF-8 begins like one.
        if tail[:1] == b"\xed" and tail[1:] >= b"\xa0":
            raise ProtocolError(INVALID_DATA, "text that is not UTF-8")
        self._tail = tail

    def _finish_message(self) -> str | bytes:
        assert self._message is not None
        payload = self._message.take()
        is_binary = self._kind == BINARY
        self._message = None
        self._kind = 0
        if is_binary:
            return payload
        return _text(payload)  # it fails here if it ends inside a character


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(INVALID_DATA, "text that is not UTF-8") from None
