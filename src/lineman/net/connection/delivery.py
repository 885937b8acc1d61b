"""What the program gets of a connection: its events in order, whatever the callbacks are.

A plain callback gets a message as it is decoded. While a coroutine of the program is at work, and
while the program has paused the connection or reads it by `async for`, an `Inbox` holds what comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from types import CoroutineType
from typing import Any

from lineman.errors import ProtocolError, UsageError
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.inbox import Inbox, Messages
from lineman.net.connection.metered import TrafficMeter
from lineman.net.connection.sender import Sender
from lineman.net.connection.state import CLOSED, CLOSING, OPEN
from lineman.net.stream.stream_status import PAUSED_BY_USER
from lineman.protocols.events import LATER, PROGRESS, Close, Progress, Reply


class Delivery(Sender):
    """Hands what a session gives to the program."""

    __slots__ = ("_meter",)

    def _begin_delivery(
        self, service: ConnectionContext, endpoint: Endpoint, fd: int, peer: tuple[str, int]
    ) -> None:
        """In place of `__init__`, as `_begin_life`."""
        self._begin_life(service, endpoint, fd, peer)
        self._meter: TrafficMeter | None = None  # where something is limited

    def _use_meter(self, meter: TrafficMeter | None) -> None:
        self._meter = meter

    def _call_on_connect(self) -> None:
        callbacks = self._callbacks
        if callbacks.on_connect is None:
            return
        try:
            result = callbacks.on_connect(self)
        except BaseException as error:
            self.callback_failed(error)
            return
        if isinstance(result, CoroutineType):
            is_stream = callbacks.on_message is None
            if self._inbox is None:
                self._use_inbox(Inbox(self, is_stream))
            assert self._inbox is not None
            self._inbox.open(result, self._connected)

    def _connected(self) -> None:
        """The coroutine of `on_connect` is done: if it was to read the messages, all is over."""
        if self._inbox is not None and self._inbox.is_stream:
            self._leave()

    def _process(self, event: Any) -> None:
        if self._meter is not None and event is not PROGRESS and event is not LATER:
            event = self._meter.message() or event
            if isinstance(event, ProtocolError):
                self._meter = None
        kind = type(event)
        if self._state is not OPEN or (kind is not str and kind is not bytes):
            self._other_event(event)
        else:
            self._hand_on(event)

    def _is_too_much(self, count: int) -> bool:
        """Counts bytes; whether they were more than the peer may send, which ends it."""
        assert self._meter is not None
        error = self._meter.bytes(count)
        if error is None:
            return False
        self._meter = None
        self._other_event(error)
        return True

    def _other_event(self, event: Any) -> None:
        if self._state is not OPEN:
            if self._state is CLOSING and isinstance(event, (Close, ProtocolError)):
                self._finish(linger=isinstance(event, ProtocolError))
        elif isinstance(event, Reply):  # at once: a pong must not depend on the program
            self._answer(event)
        elif isinstance(event, (Close, ProtocolError)):
            inbox = self._inbox
            if inbox is None:
                self._end_by(event)
            elif inbox.is_unread:
                self._end_by(event)  # no coroutine would come upon it
                inbox.wake()
            else:
                self._end_later(event)
                inbox.put(event)
        elif not isinstance(event, Progress):
            self._hand_on(event)
        elif event is LATER:
            self._look_after(0)

    def _hand_on(self, message: Any) -> None:
        if self._inbox is not None:
            self._inbox.put(message)
        elif (result := self._deliver(message)) is not None:
            self._start_inbox(result)

    def _start_inbox(self, first: Coroutine[Any, Any, Any]) -> None:
        """Has what comes wait until a coroutine of the program is done."""
        inbox = Inbox(self)
        self._use_inbox(inbox)
        inbox.start(first, None)

    def _deliver(self, message: Any) -> Coroutine[Any, Any, Any] | None:
        if self._is_ended_by_us:
            return None
        self._count_read()
        callback = self._callbacks.on_message
        if callback is None:
            return None
        try:
            result = callback(self, message)
        except BaseException as error:
            self.callback_failed(error)
            return None
        if result is None or result is True or result is False:
            return None
        return result if isinstance(result, CoroutineType) else None

    def take(self, event: Any) -> Coroutine[Any, Any, Any] | None:
        """Acts on an event whose turn has come; the coroutine of an `async def` callback."""
        if isinstance(event, (Close, ProtocolError)):
            self._end_by(event)
            return None
        return self._deliver(event)

    def inbox_is_empty(self) -> None:
        """Lets the inbox go, once its last event has been worked off."""
        self._use_inbox(None)
        if self._state is CLOSED:
            self.on_delivered_all()
        elif self._goodbye is not None and self._stream.kept is None:
            self._leave()

    def pause_recv(self) -> None:
        """Stops reading: the peer is slowed by its own full socket. Messages at hand wait."""
        if self._state is OPEN:
            self.pause(PAUSED_BY_USER)
            if self._inbox is None:
                self._use_inbox(Inbox(self))
            assert self._inbox is not None
            self._inbox.hold()

    def resume_recv(self) -> None:
        """Reads again; what waited is delivered first."""
        self.resume(PAUSED_BY_USER)
        if self._inbox is not None:
            self._inbox.release()

    def __aiter__(self) -> AsyncIterator[Any]:
        """The messages as they come; ends when the connection does.

        Raises:
            UsageError: `pipe()` was called, so they go to another connection.
        """
        pipes = self._callbacks.pipes
        if pipes is not None and pipes.has_target():
            raise UsageError(
                "async for is used on a connection whose messages pipe() sends to another one"
            )
        if self._inbox is None and self._state is OPEN:
            self._use_inbox(Inbox(self, is_stream=True))
        return Messages(self._inbox)
