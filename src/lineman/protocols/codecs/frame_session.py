"""`frame://`: four bytes with the length of the whole frame, these four included, then the message.

The length is unsigned, its highest byte first, as Workerman's `frame` protocol has it.
"""

from __future__ import annotations

from typing import Any

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.errors import UsageError
from lineman.protocols.codecs import other_protocols
from lineman.protocols.codecs.byte_stream import StreamSession, payload_bytes
from lineman.protocols.websocket.close import PROTOCOL_ERROR

HEAD = 4
MOST = 0xFFFFFFFF  # bytes of a frame
_HEAD = HEAD  # as a C number


class FrameSession(StreamSession):
    """Messages are `bytes`; a `str` is sent as UTF-8."""

    __slots__ = ("_need",)

    def __init__(self, limits: Any) -> None:
        StreamSession.__init__(self, limits)
        self._need = 0  # bytes of the frame that has begun; 0 while its length is not known

    def _take(self, data: Memory, size: int) -> Any:
        start = self._position
        if self._begun is None and size - start >= _HEAD:
            need = buffers.number_of(data, start)
            if _HEAD <= need <= size - start and need - _HEAD <= self._most:
                self._position = start + need
                return buffers.bytes_of(data, start + _HEAD, need - _HEAD)
        return self._go_on(data, size)

    def _go_on(self, data: Memory, size: int) -> Any:
        """Takes a frame that does not lie in these bytes as a whole, or is wrong."""
        begun = self._begun
        if begun is None:
            begun = self._begun = bytearray()
            self._need = 0
        if self._need == 0:
            self._add(data, size, _HEAD)
            if len(begun) < _HEAD:
                return None
            self._need = int.from_bytes(begun, "big")
            if self._need < _HEAD:
                reason = f"a frame's length is {self._need}; its own {_HEAD} bytes are part of it"
                return self._fail(PROTOCOL_ERROR, reason)
            if self._need - _HEAD > self._most:
                stranger = other_protocols.of_length(bytes(begun))
                hint = "" if stranger is None else f"; it looks like {stranger}"
                return self._too_big(self._need - _HEAD, hint)
        self._add(data, size, self._need)
        if len(begun) < self._need:
            return None
        self._begun = None
        self._need = 0
        with memoryview(begun) as whole:
            return bytes(whole[_HEAD:])

    def _add(self, data: Memory, size: int, wanted: int) -> None:
        """Adds to what has begun until it has as many bytes as wanted, or there are no more."""
        begun = self._begun
        assert begun is not None
        count = min(wanted - len(begun), size - self._position)
        buffers.append(begun, data, self._position, count)
        self._position += count

    def _put(self, payload: Memory, count: int, room: Room, size: int) -> int:
        if count + _HEAD > size:
            return -1
        buffers.put_number(room, count + _HEAD)
        buffers.copy(room, _HEAD, payload, 0, count)
        return count + _HEAD

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """See `Session`."""
        body = payload_bytes(message)
        size = len(body) + HEAD
        if size > MOST:
            raise UsageError(f"a message of {len(body)} bytes; a frame has {MOST - HEAD} at most")
        return size.to_bytes(HEAD, "big"), body, b""

    def share_key(self) -> object:
        """See `Session`."""
        return "frame"
