"""A protocol for the tests: lines of text. A connection needs nothing but this file for it."""

from __future__ import annotations

from collections import deque
from typing import Any

from lineman.errors import ProtocolError, UsageError
from lineman.net.connection.limits import Limits
from lineman.protocols.events import Close
from lineman.protocols.interface import Session
from lineman.protocols.websocket.close import MESSAGE_TOO_BIG, NORMAL


class Lines(Session):
    """A session of lines: messages are `str` without line feeds; an empty line ends it."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._most = limits.max_message_size
        self._lines: deque[bytes] = deque()  # which are complete
        self._begun = bytearray()  # of the next one
        self._is_over = False

    def next(self, data: memoryview) -> Any:
        if not self.has_more and not self._is_over:
            *lines, rest = bytes(data).split(b"\n")
            for line in lines:
                self._lines.append(bytes(self._begun + line))
                self._begun = bytearray()
            self._begun += rest
        event = self._one()
        self.has_more = bool(self._lines) and not self._is_over
        return event

    def _one(self) -> Any:
        line = self._lines.popleft() if self._lines and not self._is_over else None
        if len(self._begun if line is None else line) > self._most:
            self._is_over = True
            self._begun = bytearray()
            return ProtocolError(MESSAGE_TOO_BIG, f"a line of more than {self._most} bytes")
        if line == b"":
            self._is_over = True
            return Close(NORMAL, "said goodbye")
        return None if line is None else line.decode("utf-8", "replace")

    def rest(self, data: memoryview) -> bytes:
        return b""  # all bytes were taken: those that wait are in `_lines`

    def unfinished(self) -> Any:
        return self._begun or None

    def held(self) -> int:
        return self._begun.__sizeof__()

    def share_key(self) -> object:
        return Lines

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        if not isinstance(message, str) or "\n" in message:
            raise UsageError(f"a line is a str without line feeds, got {message!r}")
        return b"", message.encode(), b"\n"

    def answer_to(self, event: Any, now: float) -> bytes | None:
        return f"! {event.reason}\n".encode() if isinstance(event, ProtocolError) else b"\n"
