"""What the user's program has to say: one function for each occasion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

Callback = Callable[..., Any]


# The callbacks that a connection may have of its own, with the names of their arguments.
OF_CONNECTION: Mapping[str, tuple[str, ...]] = {
    "on_message": ("connection", "message"),
    "on_close": ("connection", "code", "reason"),
    "on_error": ("connection", "code", "error"),
    "on_buffer_full": ("connection",),
    "on_buffer_drain": ("connection",),
}


class ErrorCode(IntEnum):
    """What `on_error(connection, code, error)` reports; 2 is Workerman's number."""

    SEND_FAIL = 2
    CALLBACK = 3
    PROTOCOL = 4


class Callbacks:
    """The functions of one worker; None where the user gave none.

    Each may be a plain function or `async def`.

    Attributes:
        takes_event_streams: whether `on_request` may open streams of events.
        app: an application that answers requests, or opens websockets, in place of them (see
            `app_requests.AppCalls`); None without one.
        pipes: of a connection that has some, its `PipeEnds`.
        ended: called with each connection that is over, before `on_close`: for a part of Lineman,
            which goes on to hear of it where a connection has an `on_close` of its own.
    """

    __slots__ = (
        "app",
        "ended",
        "on_buffer_drain",
        "on_buffer_full",
        "on_close",
        "on_connect",
        "on_error",
        "on_message",
        "on_request",
        "on_websocket_connect",
        "on_worker_exit",
        "on_worker_reload",
        "on_worker_start",
        "on_worker_stop",
        "pipes",
        "takes_event_streams",
    )

    def __init__(self) -> None:
        self.on_worker_start: Callback | None = None
        self.on_worker_stop: Callback | None = None
        self.on_worker_reload: Callback | None = None
        self.on_worker_exit: Callback | None = None
        self.on_websocket_connect: Callback | None = None
        self.on_connect: Callback | None = None
        self.on_message: Callback | None = None
        self.on_close: Callback | None = None
        self.on_error: Callback | None = None
        self.on_buffer_full: Callback | None = None
        self.on_buffer_drain: Callback | None = None
        self.on_request: Callback | None = None
        self.takes_event_streams = True
        self.app: Any = None
        self.pipes: Any = None
        self.ended: Callable[[Any], object] | None = None

    def with_own(self, name: str, function: Callback | None) -> Callbacks:
        """The functions of a connection that has one of its own."""
        own = Callbacks()
        for each in ("on_connect", *OF_CONNECTION):
            setattr(own, each, getattr(self, each))
        setattr(own, name, function)
        own.pipes, own.ended = self.pipes, self.ended
        return own
