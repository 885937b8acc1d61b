r"""`text://`: a message is a line of UTF-8 that ends with `\n`; a `\r` before it is dropped."""

from __future__ import annotations

from typing import Any

from lineman.base import buffers
from lineman.base.buffers import Memory, Room
from lineman.errors import UsageError
from lineman.protocols.codecs import other_protocols
from lineman.protocols.codecs.byte_stream import StreamSession, payload_bytes
from lineman.protocols.websocket.close import INVALID_DATA, PROTOCOL_ERROR

NEWLINE = 0x0A
RETURN = 0x0D
_NEWLINE = NEWLINE  # as C numbers
_RETURN = RETURN


class TextSession(StreamSession):
    """Messages are `str` without their line ends; `bytes` are sent as they are, as one line."""

    __slots__ = ("_is_first",)

    def __init__(self, limits: Any) -> None:
        StreamSession.__init__(self, limits)
        self._is_first = True  # no line has ended yet

    def _take(self, data: Memory, size: int) -> Any:
        start = self._position
        end = buffers.find(data, start, size, _NEWLINE)
        if self._is_first:
            error = self._check_first(data, start, size if end < 0 else end, end >= 0)
            if error is not None:
                return error
        if end < 0:
            self._position = size
            return self._keep(data, start, size)
        self._position = end + 1
        if self._begun is None:
            return self._line(data, start, end)
        if self._keep(data, start, end) is not None:
            return self._too_big(self._most + 1)
        line = bytes(self._begun)
        self._begun = None
        return self._line(buffers.data_of(line), 0, len(line))

    def _check_first(self, data: Memory, start: int, stop: int, is_whole: bool) -> Any:
        """Refuses a client of another protocol, whose lines a program might obey."""
        begun = b"" if self._begun is None else bytes(self._begun[: other_protocols.ENOUGH])
        begun += buffers.bytes_of(data, start, min(stop - start, other_protocols.ENOUGH))
        self._is_first = not is_whole and len(begun) < other_protocols.ENOUGH
        stranger = other_protocols.of_line(begun[: other_protocols.ENOUGH], is_whole)
        return None if stranger is None else self._fail(PROTOCOL_ERROR, stranger)

    def _keep(self, data: Memory, start: int, stop: int) -> Any:
        """Adds to the line that has begun; the error where it is too long."""
        begun = self._begun
        if begun is None:
            begun = self._begun = bytearray()
        # One byte more: it may be a `\r`, which does not count.
        if len(begun) + stop - start > self._most + 1:
            return self._too_big(len(begun) + stop - start)
        buffers.append(begun, data, start, stop - start)
        return None

    def _line(self, data: Memory, start: int, end: int) -> Any:
        if end > start and data[end - 1] == _RETURN:
            end -= 1
        if end - start > self._most:
            return self._too_big(end - start)
        text = buffers.text_of(data, start, end - start)
        if text is None:
            return self._fail(INVALID_DATA, "a line that is not UTF-8")
        return text

    def _put(self, payload: Memory, count: int, room: Room, size: int) -> int:
        if count >= size:
            return -1
        if buffers.find(payload, 0, count, _NEWLINE) >= 0:
            raise UsageError(_NOT_ONE_LINE)
        buffers.copy(room, 0, payload, 0, count)
        room[count] = _NEWLINE
        return count + 1

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """See `Session`."""
        return b"", line_of(message), b"\n"

    def share_key(self) -> object:
        """See `Session`."""
        return "text"


def line_of(message: object) -> bytes:
    """The line of a message that `send` was given, without its line end.

    Raises:
        UsageError: it is neither text nor bytes, or more than one line.
    """
    line = payload_bytes(message)
    if b"\n" in line:
        raise UsageError(_NOT_ONE_LINE)
    return line


_NOT_ONE_LINE = (
    r"a message of text:// is one line, and this one has a \n in it; send its lines one by one, or "
    "use frame:// or json.dumps(...)"
)
