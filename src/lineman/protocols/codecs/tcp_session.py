"""`tcp://`: bytes as they come. A message is what was read at once; it has no limits of its own."""

from __future__ import annotations

from typing import Any

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.protocols.codecs.byte_stream import StreamSession, payload_bytes


class TcpSession(StreamSession):
    """Messages are `bytes`, cut anywhere; a `str` is sent as UTF-8."""

    __slots__ = ()

    def _take(self, data: Memory, size: int) -> Any:
        self._position = size
        return buffers.bytes_of(data, 0, size)

    def _put(self, payload: Memory, count: int, room: Room, size: int) -> int:
        if count > size:
            return -1
        buffers.copy(room, 0, payload, 0, count)
        return count

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """See `Session`."""
        return b"", payload_bytes(message), b""

    def share_key(self) -> object:
        """See `Session`."""
        return "tcp"
