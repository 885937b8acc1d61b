"""What the protocols on a byte stream share: no handshake, no words for the end, a silent peer."""

from __future__ import annotations

from typing import Any, Protocol

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.errors import ProtocolError
from lineman.protocols.events import Close
from lineman.protocols.interface import Session
from lineman.protocols.websocket.close import ABNORMAL, MESSAGE_TOO_BIG, NORMAL
from lineman.protocols.websocket.session import LARGE, to_frame

_LARGE = LARGE  # as a C number

# Why a connection ended whose peer was not done; how many bytes had come stands behind it.
CUT = "the peer ended in the middle of a message"
SILENT = "silent for"


class StreamLimits(Protocol):
    """What a session on a byte stream must know of a service's limits."""

    @property
    def max_message_size(self) -> int:
        """Bytes of a message, without what frames it."""
        ...

    @property
    def idle_timeout(self) -> float:
        """Seconds of silence after which the peer is given up; 0 for never."""
        ...


class StreamSession(Session):
    """One end of a connection whose messages are `bytes` or `str`, framed or not.

    A class for each protocol has `_take` and `_put`, and says how it frames with `pieces`.

    Args:
        limits: sizes and times.
    """

    __slots__ = ("_begun", "_is_over", "_limits", "_most", "_position")

    def __init__(self, limits: StreamLimits) -> None:
        self.has_more = False
        self._limits = limits
        self._most = limits.max_message_size
        self._begun: bytearray | None = None  # what has come of the next message
        self._position = 0  # in the bytes that `next` is given
        self._is_over = False

    def use_limits(self, limits: StreamLimits) -> None:
        """See `Session`."""
        self._limits = limits
        self._most = limits.max_message_size

    # What comes.

    def next(self, data: memoryview) -> Any:
        """The next message; see `Session`."""
        size = len(data)
        self.has_more = False
        if self._is_over or size == 0:
            return None
        event = self._take(buffers.start_of(data), size)
        if self._is_over or self._position >= size:
            self._position = 0
        else:
            self.has_more = True
        return event

    def _take(self, data: Memory, size: int) -> Any:
        """The next message from `_position` on, which moves behind it; None where it is not whole.

        Args:
            data: where the bytes lie that `next` is given.
            size: how many they are.
        """
        raise NotImplementedError

    def _fail(self, code: int, reason: str) -> ProtocolError:
        """Ends it: the peer has broken a rule."""
        self._is_over = True
        self._begun = None
        return ProtocolError(code, reason)

    def _too_big(self, size: int, hint: str = "") -> ProtocolError:
        reason = f"a message of {size} bytes or more; {self._most} are the most{hint}"
        return self._fail(MESSAGE_TOO_BIG, reason)

    def rest(self, data: memoryview) -> bytes:
        """See `Session`."""
        rest = bytes(data[self._position :]) if self.has_more else b""
        self._position = 0
        self.has_more = False
        return rest

    def left(self, data: memoryview) -> bytes:
        """See `Session`."""
        begun, self._begun = self._begun, None
        rest = self.rest(data)
        return rest if begun is None else bytes(begun) + rest

    def unfinished(self) -> Any:
        """See `Session`."""
        return self._begun

    def held(self) -> int:
        """See `Session`."""
        return 0 if self._begun is None else self._begun.__sizeof__()

    def ended(self) -> Any:
        """The end of the stream is how a peer closes; one in the middle of a message cuts it."""
        if self._begun is None:
            return Close(NORMAL, "the peer ended the connection")
        return Close(ABNORMAL, f"{CUT}: {len(self._begun)} bytes of it had come")

    # What goes.

    def encode_into(self, message: Any, room: Room, size: int) -> int:
        """See `Session`."""
        payload = buffers.payload_of(message)
        if payload.size < 0 or payload.size >= _LARGE:
            return -1
        return self._put(payload.data, payload.size, room, size)

    def encode_memory(self, is_text: bool, data: Memory, count: int, room: Room, size: int) -> int:
        """See `Session`."""
        return -1 if count >= _LARGE else self._put(data, count, room, size)

    def _put(self, payload: Memory, count: int, room: Room, size: int) -> int:
        """Writes a message where there is room, as `encode_into` does.

        Args:
            payload: where its bytes lie.
            count: how many they are.
            room: where to write.
            size: bytes that there are.
        """
        raise NotImplementedError

    # The clock.

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        """Gives up a peer that was silent for `idle_timeout`; see `Session`."""
        most = self._limits.idle_timeout
        if not most:
            return None, None, 0.0
        if not is_reading:
            return None, None, now + most
        due = last_received + most
        return None, f"{SILENT} {most:g} s (idle_timeout)" if now >= due else None, due


def payload_bytes(message: object) -> bytes:
    """The bytes of a message that `send` was given: of a text its UTF-8.

    Raises:
        UsageError: it is neither text nor bytes, or a text that UTF-8 has no bytes for.
    """
    return to_frame(message)[1]
