"""A stream of server-sent events as the session of an open connection, the server's end; pure.

What the client sends is nothing: its request is answered by this stream, which has no end of its
own. Events go to many clients in the same bytes, so a broadcast encodes them once.
"""

from __future__ import annotations

from typing import Any, Protocol

from lineman.errors import UsageError
from lineman.protocols.events import Close
from lineman.protocols.http.event_stream import COMMENT, ServerSentEvent
from lineman.protocols.interface import Session

_GOING = 1001  # as a closed tab of a browser ends a websocket (RFC 6455, section 7.4.1)


class EventLimits(Protocol):
    """What a session must know of a service's limits."""

    @property
    def ping_interval(self) -> float:
        """Seconds after which proxies are shown that the stream goes on; 0 for never."""
        ...


class EventSession(Session):
    """The events for one client.

    Args:
        limits: its times.
        is_chunked: whether they are framed as chunks; else they go on the line as they are.
    """

    __slots__ = ("_due", "_interval", "_is_chunked")

    def __init__(self, limits: EventLimits, is_chunked: bool) -> None:
        self.has_more = False
        self._interval = limits.ping_interval
        self._is_chunked = is_chunked
        self._due = 0.0

    def next(self, data: memoryview) -> Any:
        """Nothing: see the module."""
        return

    def rest(self, data: memoryview) -> bytes:
        """Nothing is kept."""
        return b""

    def ended(self) -> Close:
        """The client has gone: it reads no more events."""
        return Close(_GOING, "the client left")

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """An event, or a text as one; see `Session`.

        Raises:
            UsageError: it is something else.
        """
        if isinstance(message, str):
            message = ServerSentEvent(message)
        if not isinstance(message, ServerSentEvent):
            raise UsageError(
                f"an event stream takes a ServerSentEvent or a str, not {type(message).__name__}"
            )
        return b"", self._framed(message.encode()), b""

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data

    def share_key(self) -> object:
        """Equal for all with chunks, and for all without."""
        return "sse" if self._is_chunked else "sse/1.0"

    def closing(self, code: int, reason: str, now: float) -> bytes | None:
        """What ends the stream: with chunks an empty one."""
        return b"0\r\n\r\n" if self._is_chunked else None

    def is_answered(self) -> bool:
        """The client has nothing to say."""
        return False

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        """Has a comment sent from time to time, so that no proxy takes the stream for dead."""
        if not self._interval:
            return None, None, 0.0
        is_due = self._due and now >= self._due
        if is_due or not self._due:
            self._due = now + self._interval
        return self._framed(COMMENT) if is_due else None, None, self._due
