"""One end of a link between two processes of a machine: messages over a stream.

Nearly all of them are records (`records.py`), which cost no object; other messages are sent between
the records in frames (`framing.py`), in order.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from lineman.base import buffers, tasktime
from lineman.base.buffers import Memory
from lineman.base.forks import keep_from_children
from lineman.base.loglimit import LogLimit
from lineman.base.unixpeer import peer_uid
from lineman.errors import LinkFullError
from lineman.links import records
from lineman.links.framing import (
    LENGTH,
    MAX_FRAME,
    BadMessageError,
    Message,
    WireFormat,
    encode_frames,
)
from lineman.links.records import BINARY, DONE, HEAD_SIZE, RECORD, TEXT, MessageData, to_payload
from lineman.links.unconfirmed import Unconfirmed

logger = logging.getLogger("lineman")

# Posted bytes that are sent at once, before the turn of the event loop ends.
FLUSH_SIZE = 256 * 1024
# The size that a message without a payload counts for, in bytes.
SIZE_OF_NOTHING = 64
# Waiting bytes from which on fewer messages should be sent; see `is_clogged`.
CLOGGED_SIZE = 4 * 1024 * 1024
# Waiting bytes from which on the program's orders are refused.
MAX_UNSENT = 64 * 1024 * 1024
LOOK = 64  # records between two looks at the time
_LOOK = LOOK  # as a C number
UNKNOWN = "unknown"
NEVER = 1 << 62
Data = bytes | bytearray


class RecordReceiver:
    """Takes the records of a link."""

    __slots__ = ()

    def on_record(
        self, link: Link, number: int, kind: int, data: Data, start: int, end: int
    ) -> None:
        """A message of or to the client with a number; its payload is `data[start:end]`."""
        raise NotImplementedError

    def on_done(self, link: Link, number: int, count: int) -> None:
        """`count` events of the client with a number were handled."""

    def on_pause(self) -> None:
        """All received records were handed over, or another message follows."""


class Link:
    """Collects the messages of one turn of the event loop, and sends them in one piece.

    It has the methods of an asyncio protocol.

    Args:
        wire: the messages that the other side may send besides records.
        on_batch: gets the messages of each frame.
        on_end: called once, when the link is over; gets the reason as text.
        receiver: gets the records; None while none are allowed.
        yields: whether this side stops reading while the other side reads slowly.
        max_frame: the size that a frame of posted messages may have, in bytes.
        max_unsent: bytes that may wait before orders of the program are refused.

    Attributes:
        is_up: whether messages can be posted; a link that is down drops them.
        is_clogged: whether the other side reads so slowly that further messages should wait.
        is_full: whether further orders of the program are refused.
        peer: the name of the other side, for the log.
        asked_at: the time of the `LinkPing` that was not answered yet; None if there is none.
        handled: bytes of the other side that were handled, since the link began.
        on_handled: called with the link when `handled` has reached `tell_at`.
        kept: what was sent and is not confirmed; None while the other side confirms nothing.
    """

    def __init__(
        self,
        wire: WireFormat,
        on_batch: Callable[[Link, list[Any]], None],
        on_end: Callable[[Link, str], None],
        receiver: RecordReceiver | None = None,
        *,
        yields: bool = False,
        max_frame: int = MAX_FRAME,
        max_unsent: int = MAX_UNSENT,
    ) -> None:
        self._wire = wire
        self._on_batch = on_batch
        self._on_end = on_end
        self.receiver = receiver
        self._yields = yields
        self._max_frame = max_frame
        self._max_unsent = max_unsent
        self._loop = asyncio.get_running_loop()
        self._log = LogLimit(logger)
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._out = bytearray()
        self._batch: list[Message] = []  # sent after all that is in `_out`
        self._batched = 0
        self._dones = bytearray()  # sent after both, because they report on earlier messages
        self._done_number = 0
        self._done_count = 0
        self._is_due = False
        self._drained: list[Callable[[], None]] = []
        self._time = tasktime.running()
        self._goes_on = False  # received bytes wait for the next turn
        self.is_up = False
        self.is_clogged = False
        self.is_full = False
        self.peer = UNKNOWN
        self.asked_at: float | None = None
        self.sent = self.handled = 0
        self.tell_at = NEVER
        self.on_handled: Callable[[Link], None] | None = None
        self.kept: Unconfirmed | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        # uvloop's transports have the methods of this class, but do not derive from it.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=CLOGGED_SIZE)
        self.is_up = True
        keep_from_children(self)

    def descriptors(self) -> list[int]:
        """The socket's descriptor."""
        if self._transport is None or self._transport.is_closing():
            return []
        return [self._transport.get_extra_info("socket").fileno()]

    def eof_received(self) -> None:
        """The other side has closed its direction; the transport ends then."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Handles the received bytes that still wait, then ends."""
        while self._goes_on:
            self._goes_on = False
            self.data_received(b"")
        self._over("it ended" if exc is None else str(exc))

    # Sending.

    def post(self, message: Message, size: int = 0) -> None:
        """Sends a message, at the latest when this turn of the event loop ends.

        Args:
            message: the message.
            size: the size of its payload in bytes.
        """
        if not self.is_up:
            return
        self._batch.append(message)
        self._batched += SIZE_OF_NOTHING + size
        if self._batched > FLUSH_SIZE:
            self.flush()
        else:
            self._schedule()

    def check_room(self) -> None:
        """Checks the room for an order of the program; call this before posting it.

        Raises:
            LinkFullError: too many bytes wait.
        """
        if self.is_full:
            raise LinkFullError(
                f"{self._max_unsent >> 20} MiB wait for gateway process {self.peer}, which reads "
                "too slowly; the message was not sent; fix: await gateway.drain() between messages"
            )

    def send(self, number: int, message: MessageData) -> None:
        """Sends a message of a client, or to it, as `post` does.

        Raises:
            UsageError: it is neither text nor bytes.
        """
        if not self.is_up:
            to_payload(message)  # an invalid message is reported even if the link is down
            return
        known = buffers.payload_of(message)
        if known.size >= 0:
            self._put(TEXT if known.is_text else BINARY, number, known.data, known.size)
            return
        given = to_payload(message)
        payload = given.encode() if isinstance(given, str) else given
        kind = TEXT if isinstance(given, str) else BINARY
        self._put(kind, number, buffers.data_of(payload), len(payload))

    def _put(self, kind: int, number: int, payload: Memory, size: int) -> None:
        if size > MAX_FRAME:
            text = "to process %s: a message was dropped: it has %d bytes, %d are allowed"
            self._log.log(logging.ERROR, "messages too big", text, self.peer, size, MAX_FRAME)
            return
        if self._batch:
            self._pack()
        records.put(self._out, kind, number, payload, size)
        if len(self._out) > FLUSH_SIZE:
            self.flush()
        elif not self._is_due:
            self._schedule()

    def acknowledge(self, number: int) -> None:
        """Reports that one more event of a client was handled, after all messages before."""
        if not self.is_up:
            return
        if self._done_number != number:
            self._add_done()
            self._done_number = number
        self._done_count += 1
        if not self._is_due:
            self._schedule()

    def _add_done(self) -> None:
        if self._done_count:
            records.put_done(self._dones, self._done_number, self._done_count)
            self._done_count = 0

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.flush)

    def _pack(self) -> None:
        """Puts posted messages behind the records before them."""
        batch, self._batch = self._batch, []
        self._batched = 0
        frames, bad = encode_frames(batch, self._max_frame)
        for frame in frames:
            self._out += frame
        for message, problem in bad:
            self._give_up(message, problem)

    def flush(self) -> None:
        """Sends what was posted."""
        self._is_due = False
        if self._transport is None:
            return
        if self._batch:
            self._pack()
        self._add_done()
        if self._dones:
            self._out += self._dones
            self._dones = bytearray()
        if self._out:
            out, self._out = self._out, bytearray()
            self.sent += len(out)
            if self.kept is not None:
                self.kept.add(out)
            self._transport.write(out)
            if self.is_clogged:
                self.is_full = self._transport.get_write_buffer_size() >= self._max_unsent

    def _give_up(self, message: Message, problem: str) -> None:
        kind = type(message).__name__
        text = "to process %s: a %s was dropped: %s"
        self._log.log(logging.ERROR, f"a dropped {kind}", text, self.peer, kind, problem)
        instead = message.in_place(problem)
        if instead is not None:
            self.post(instead)

    # Whether the other side keeps up.

    @property
    def unsent(self) -> int:
        """Bytes that wait in this process."""
        waiting = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return waiting + len(self._out) + self._batched

    def pause_writing(self) -> None:
        """The other side reads slowly: asyncio calls this."""
        self.is_clogged = True
        if self._yields and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The other side has caught up: asyncio calls this."""
        self.is_clogged = self.is_full = False
        if self._yields:
            self._loop.call_soon(self._go_on)
        waiting, self._drained = self._drained, []
        for function in waiting:
            function()

    def _go_on(self) -> None:
        """Handles the bytes that have waited, and reads again."""
        transport = self._transport
        if transport is None or not self.is_up or transport.is_closing():
            return
        self._goes_on = False
        self.data_received(b"")
        if self.is_up and not self._goes_on and not (self._yields and self.is_clogged):
            transport.resume_reading()

    def when_drained(self, function: Callable[[], None]) -> None:
        """Calls a function once, when the link is no longer clogged, or is over."""
        self._drained.append(function)

    async def drain(self) -> None:
        """Returns when the link is not clogged, or is over."""
        self.flush()
        if self.is_clogged and self.is_up:
            drained = asyncio.Event()
            self.when_drained(drained.set)
            await drained.wait()

    # Receiving.

    def data_received(self, data: bytes) -> None:
        """Takes received bytes; a message may be cut anywhere."""
        self._is_due = (
            True  # messages that are posted meanwhile are sent after all of it was handled
        )
        try:
            if self._received:
                self._received += data
                rest = self._take(self._received, len(self._received))
                del self._received[:rest]
            else:
                rest = self._take(data, len(data))
                if rest < len(data):
                    self._received += data[rest:]
            self.handled += rest
        except (BadMessageError, UnicodeDecodeError) as error:
            self.fail(str(error))
        finally:
            if self.receiver is not None:
                self.receiver.on_pause()
            if self.handled >= self.tell_at and self.on_handled is not None:
                self.on_handled(self)
            self.flush()

    def _take(self, data: Data, size: int) -> int:
        """Hands over complete messages; returns the number of their bytes."""
        start = count = 0
        while size - start >= LENGTH and self.is_up and not (self._yields and self.is_clogged):
            if count == _LOOK:
                count = 0
                if self._time.is_over():
                    self._put_off()
                    break
            count += 1
            end = (
                self._take_record(data, start, size)
                if data[start] >= RECORD
                else self._take_frame(data, start, size)
            )
            if not end:
                break
            start = end
        return start

    def _put_off(self) -> None:
        """Continues in another turn, and does not read from the other side until then."""
        if not self._goes_on:
            self._goes_on = True
            self._loop.call_soon(self._go_on)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _take_record(self, data: Data, start: int, size: int) -> int:
        """The end of the record; 0 if it is not complete, or the link is over."""
        receiver = self.receiver
        if receiver is None:
            self.fail("it sent a record that it may not send")
            return 0
        payload = start + HEAD_SIZE
        if payload > size:
            return 0
        head = records.read(data, start)
        if head.kind == DONE:
            receiver.on_done(self, head.number, head.size)
            return payload
        if (head.kind != TEXT and head.kind != BINARY) or head.size > MAX_FRAME:
            self.fail(f"a record of kind {head.kind} and {head.size} bytes")
            return 0
        end = payload + head.size
        if end > size:
            return 0
        receiver.on_record(self, head.number, head.kind, data, payload, end)
        return end

    def _take_frame(self, data: Data, start: int, size: int) -> int:
        """The end of the frame; 0 if it is not complete, or the link is over."""
        length = int.from_bytes(data[start : start + LENGTH], "big")
        if length > MAX_FRAME:
            self.fail(f"a frame of {length} bytes; {MAX_FRAME} are allowed")
            return 0
        end = start + LENGTH + length
        if end > size:
            return 0
        batch = self._wire.decode_batch(data[start + LENGTH : end])
        if self.receiver is not None:
            self.receiver.on_pause()
        self._on_batch(self, batch)
        return end

    # The end.

    def fail(self, reason: str) -> None:
        """Ends the link at once, because of an error."""
        if self._transport is not None and self.is_up:
            self._transport.abort()
        self._over(reason)

    def close(self) -> None:
        """Sends what was posted, then ends the link."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _over(self, reason: str) -> None:
        if self.is_up:
            self.is_up = False
            if self.kept is not None:
                self._pack()
                self.kept.add(bytes(self._out))
            self._batch.clear()
            self._out.clear()
            self._on_end(self, reason)
            waiting, self._drained = self._drained, []
            for function in waiting:
                function()

    def peer_uid(self) -> int | None:
        """The user id of the other process; None if the kernel does not tell."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        return None if sock is None or sock.family != socket.AF_UNIX else peer_uid(sock)
