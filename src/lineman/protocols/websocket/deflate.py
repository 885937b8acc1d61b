"""permessage-deflate: compressing whole messages, inflating what arrives; pure.

What is compressed and how was agreed on in `negotiation`. Without context takeover neither side
of a connection keeps anything between two messages.

Source: RFC 7692, section 7.2.
"""

from __future__ import annotations

import sys
import zlib
from functools import lru_cache

from lineman.errors import ProtocolError
from lineman.protocols.websocket.close import INVALID_DATA, MESSAGE_TOO_BIG, POLICY_VIOLATION
from lineman.protocols.websocket.deflate_engines import SYNC_FLUSH, DeflateStream, Engine, fastest
from lineman.protocols.websocket.negotiation import MAX_BITS, MIN_BITS, Agreement, DeflateOptions

# What a flush ends with, the rest of an empty stored block: the sender removes it, the receiver
# puts it back (sections 7.2.1 and 7.2.2).
TAIL = b"\x00\x00\xff\xff"

EMPTY = b"\x00"  # an empty message: section 7.2.3.6

# An empty final block. A message that ends where it should is in such a state that this ends the
# stream; one that was cut off is not.
_END = b"\x03\x00"

# zlib finds no match farther back than its window less this (MIN_LOOKAHEAD).
_LOOKAHEAD = 262

# Inflated in one go at most: some 0.1 ms of work, 1 ms at worst.
PIECE = 1 << 16

# Input is inflated in slices: zlib copies what is left of one after a final block or a full piece,
# and there are blocks that inflate to nothing and are work all the same.
_SLICE = 1 << 14
_SHORT_SLICE = 1 << 12

# Memory of a stream that inflates: its state and the largest window (zlib.h).
STREAM_SIZE = 40 * 1024


class Compressor:
    """Compresses messages of one direction.

    With context takeover it belongs to one connection and must see every compressed message of
    it, in order; a stream is made at the first. Without, it keeps nothing and any number of
    connections may share it; `compressor` sees to that.

    Making a stream for each message is as quick as a kept one that is reset, where the window
    and the memory fit the message: at 1 KiB 8 µs, of which 7 are the compressing. With 15 bits
    and zlib's own memory level it would be 60, nearly all of it memory fetched from the system
    and given back, and the `copy()` of an empty stream 93.

    Args:
        bits: the largest window, 9 to 15.
        is_kept: whether there is context takeover.
        options: level, memory level and threshold of it count.
        engine: None for the fastest that is installed.
    """

    __slots__ = ("_bits", "_engine", "_is_kept", "_memory_level", "_stream", "_threshold")

    def __init__(
        self, bits: int, is_kept: bool, options: DeflateOptions, engine: Engine | None = None
    ) -> None:
        self._bits = bits
        self._is_kept = is_kept
        self._memory_level = options.memory_level
        self._threshold = options.threshold
        self._engine = engine or fastest(options.level, bits, is_kept)
        self._stream: DeflateStream | None = None

    @property
    def engine(self) -> str:
        """Which zlib does it: `zlib`, `zlib-ng` or `isal`."""
        return self._engine.name

    def shrink(self, payload: bytes) -> bytes | None:
        """The message compressed, or None where it is better sent as it is.

        That is below the threshold, and, without context takeover, where it does not get smaller
        (with it the peer must see what has gone through the stream).
        """
        if len(payload) < self._threshold:
            return None
        data = self.compress(payload)
        return data if self._is_kept or len(data) < len(payload) else None

    def compress(self, payload: bytes) -> bytes:
        """The payload of a compressed message, all frames of it together.

        It must be sent: with context takeover the next message builds on it.
        """
        if not payload:
            return EMPTY
        stream = self._stream
        if stream is None:
            stream = self._begin(len(payload))
        head = stream.compress(payload)
        rest = stream.flush(SYNC_FLUSH)[: -len(TAIL)]
        return head + rest if head else rest

    def _begin(self, size: int) -> DeflateStream:
        if self._is_kept:
            self._stream = self._engine.stream(self._bits, self._memory_level)
            return self._stream
        # A smaller window may always be used, and one that holds the whole message loses nothing.
        fitting = (size + _LOOKAHEAD - 1).bit_length()
        return self._engine.stream(
            min(self._bits, max(MIN_BITS, fitting)),
            min(self._memory_level, max(1, fitting - 7)),
        )


def compressor(agreement: Agreement, options: DeflateOptions, is_server: bool = True) -> Compressor:
    """The compressor for a connection, shared with the others that may share it.

    Args:
        agreement: of this connection.
        options: as for `Compressor`.
        is_server: whether the server compresses with it, or the client.
    """
    if is_server:
        bits, is_alone = agreement.server_max_window_bits, agreement.server_no_context_takeover
    else:
        bits, is_alone = agreement.client_max_window_bits, agreement.client_no_context_takeover
    return _shared(bits, options) if is_alone else Compressor(bits, True, options)


@lru_cache(maxsize=64)
def _shared(bits: int, options: DeflateOptions) -> Compressor:
    return Compressor(bits, False, options)


class Inflater:
    """Inflates messages of one connection, piece by piece and never beyond a size.

    A few bytes can inflate to very many. So `put` only takes what has arrived, and each `take`
    inflates a piece of it, until `is_hungry`; `begin` is both, for a message that is all here.
    After a `ProtocolError` it must not be used again.

    A stream lives for one message. What context takeover needs of those before is their last
    bytes, about one window, and these are kept instead: the next stream begins with them, as
    does the one after a final block. That is less memory than the stream, for 1 to 2 µs a message.

    Args:
        agreement: of this connection.
        max_size: bytes that a message may have when it is inflated.
        is_server: whether the server inflates with it (what the client sent), or the client.

    Attributes:
        is_hungry: whether all that was put has been taken.
    """

    __slots__ = (
        "_at", "_fed", "_finals", "_first", "_history", "_input", "_is_full", "_is_kept",
        "_is_last", "_max_size", "_room", "_stream", "_window", "is_hungry",
    )  # fmt: skip

    def __init__(self, agreement: Agreement, max_size: int, is_server: bool = True) -> None:
        if is_server:
            bits, is_alone = agreement.client_max_window_bits, agreement.client_no_context_takeover
        else:
            bits, is_alone = agreement.server_max_window_bits, agreement.server_no_context_takeover
        # Old versions of zlib compress with 9 where 8 is asked for.
        self._window = 1 << max(bits, MIN_BITS)
        self._is_kept = not is_alone
        self._max_size = min(max_size, sys.maxsize - 1)
        self._history: bytearray | None = None  # the window as the next stream needs it
        self._stream: zlib._Decompress | None = None
        self._room = self._max_size  # bytes that the message may still grow by
        self._fed = 0  # bytes of it that came in
        self._finals = 0  # final blocks among them
        self._input = b""  # what was put,
        self._at = 0  # given to the stream up to here,
        self._is_last = False  # and whether the message ends with it
        self._first = b""  # a piece that `begin` has inflated
        self._is_full = False  # the stream has more for us before it needs more
        self.is_hungry = True

    def limit(self, max_size: int) -> None:
        """Has another limit hold from the next message on."""
        self._max_size = min(max_size, sys.maxsize - 1)
        if not self._fed:  # small messages leave the room as it is
            self._room = self._max_size

    @property
    def is_idle(self) -> bool:
        """Whether it holds nothing, so that a new one would do the same."""
        return not self._fed and not self._history

    def begin(self, payload: bytes) -> bytes | None:
        """A whole message inflated; None where it is more than a piece, for `take`.

        Raises:
            ProtocolError: as `take`.
        """
        if payload and not self._fed and len(payload) <= _SLICE:
            stream = self._open()
            message = self._run(stream, payload)
            if len(message) < PIECE and not stream.eof:
                rest = self._end_stream(stream, len(message))
                if self._is_kept:
                    self._remember(message + rest if rest else message)
                return message + rest if rest else message
            if not stream.eof:
                self.put(payload, True)
                self._stream = stream
                self._at = self._fed = len(payload)
                self._room -= len(message)
                self._remember(message)
                self._first = message
                self._is_full = True
                return None
        # An empty one, a large one, or one with final blocks: the long way knows them.
        self.put(payload, True)
        return None

    def put(self, piece: bytes, is_last: bool) -> None:
        """Takes bytes of a message, after all of those before have been taken.

        Args:
            piece: any number of bytes.
            is_last: whether the message ends with them.
        """
        self._input = piece
        self._at = 0
        self._is_last = is_last
        self.is_hungry = False

    def take(self) -> bytes:
        """A piece of what was put, inflated: at most `PIECE` bytes, or none yet.

        Two things that senders should not do harm nobody and are let pass: no byte at all for an
        empty message, and nothing after a final block (section 7.2.3.4 has a byte of zeros).

        Raises:
            ProtocolError: 1009 as soon as the message is larger than it may be, 1007 for what
                is not deflate or was cut off, 1008 for final blocks by the hundred.
        """
        stream = self._stream
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._is_full:
            assert stream is not None
            return self._take_from(stream, stream.unconsumed_tail)
        if self._at < len(self._input):
            slice_ = self._input[self._at : self._at + (_SHORT_SLICE if self._finals else _SLICE)]
            self._at += len(slice_)
            self._fed += len(slice_)
            if stream is None:
                stream = self._stream = self._open()
            return self._take_from(stream, slice_)
        rest = b""
        if self._is_last:
            if stream is not None:
                rest = self._end_stream(stream, 0)
                self._remember(rest)
            self._end_message()
        self._input = b""
        self.is_hungry = True
        return rest

    def _take_from(self, stream: zlib._Decompress, data: bytes) -> bytes:
        out = self._run(stream, data)
        self._room -= len(out)
        self._remember(out)
        self._is_full = len(out) == PIECE and not stream.eof
        if stream.eof:
            left = len(stream.unused_data)
            self._at -= left
            self._fed -= left
            self._end_block()
        return out

    def _end_stream(self, stream: zlib._Decompress, size: int) -> bytes:
        """What is still missing of a message of which all bytes are in the stream."""
        self._room -= size
        rest = self._run(stream, TAIL)
        self._room += size
        if (not stream.eof and self._run(stream, _END)) or not stream.eof or stream.unused_data:
            raise _not_deflate()
        return rest

    def _end_message(self) -> None:
        self._stream = None
        self._room = self._max_size
        self._fed = self._finals = 0
        if not self._is_kept:
            self._history = None

    def _open(self) -> zlib._Decompress:
        # Always with the largest window: it lives for a message only, and a smaller one would make
        # zlib's verdict on a distance depend on how the message was cut into pieces.
        if self._history:
            return zlib.decompressobj(-MAX_BITS, zdict=self._history)
        return zlib.decompressobj(-MAX_BITS)

    def _run(self, stream: zlib._Decompress, data: bytes) -> bytes:
        """What the bytes inflate to, if there is room for it."""
        try:
            # One byte more than there is room for tells the message that is too big.
            out = stream.decompress(data, min(PIECE, self._room + 1))
        except zlib.error:
            raise _not_deflate() from None
        if len(out) > self._room:
            raise ProtocolError(
                MESSAGE_TOO_BIG, f"message of more than {self._max_size} bytes (max_message_size)"
            )
        return out

    def _remember(self, out: bytes) -> None:
        window = self._window
        history = self._history
        if history is None or len(out) >= window:
            self._history = bytearray(out[-window:])
            return
        history += out
        # zlib takes the end of it. A bit more than that may stand there, so that small messages
        # do not copy a window each; and a copy it must be, for deleting gives no memory back.
        if len(history) > window + window // 4:
            self._history = history[-window:]

    def _end_block(self) -> None:
        """A final block ended: what follows is a new stream to zlib, with the same window.

        A sender may end each flush like that (section 7.2.3.4), but two bytes of it would cost a
        stream each.
        """
        self._stream = None
        self._finals += 1
        if self._finals > 16 + (self._fed >> 8):
            raise ProtocolError(POLICY_VIOLATION, "compressed message in too many final blocks")


def _not_deflate() -> ProtocolError:
    return ProtocolError(INVALID_DATA, "compressed message that is not valid deflate data")
