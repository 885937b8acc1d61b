"""Messages of one connection that wait for their turn.

Most connections never have an inbox: a plain callback is called as each message is decoded. One
is made while messages must wait: an `async def` handler is at work on an earlier one, the program
has paused the connection, or it reads by `async for`. It goes away when it is empty again, and
while it is long the connection is not read, so that a fast peer waits instead of filling memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from lineman.base import progress, tasktime
from lineman.errors import ProtocolError, UsageError
from lineman.net.stream.stream_status import PAUSED_BY_INBOX
from lineman.protocols.events import Close

MAX_EVENTS = 64
MAX_SIZE = 256 * 1024


class Source(Protocol):
    """What an inbox asks of the connection that its events come from."""

    service: Any

    @property
    def may_receive(self) -> bool:
        """Whether more messages can come."""

    def pause(self, why: int) -> None:
        """Stops reading."""

    def resume(self, why: int) -> None:
        """Reads on."""

    def note_read(self) -> None:
        """Counts a message."""

    def take(self, event: Any) -> Coroutine[Any, Any, Any] | None:
        """Acts on an event whose turn has come."""

    def callback_failed(self, error: BaseException) -> None:
        """Acts on what a coroutine of the program raised."""

    def inbox_is_empty(self) -> None:
        """Lets the inbox go."""


class Inbox:
    """A queue of decoded events, and what empties it.

    Args:
        connection: whose events they are.
        is_stream: whether the program takes them by `async for`; otherwise they go to `on_message`.

    Attributes:
        is_read: whether an `async for` has begun.
        is_unbegun: whether the coroutine of `on_connect` waits for its first step.
    """

    __slots__ = (
        "_connection",
        "_events",
        "_has_paused",
        "_is_cancelled",
        "_is_ended",
        "_is_held",
        "_is_opening",
        "_size",
        "_task",
        "_time",
        "_waiter",
        "is_read",
        "is_stream",
        "is_unbegun",
    )

    def __init__(self, connection: Source, is_stream: bool = False) -> None:
        self._connection = connection
        self._events: deque[Any] = deque()
        self._size = 0
        self._has_paused = False
        self._is_cancelled = False
        self._is_ended = False
        self._is_held = False
        self._is_opening = False
        self._task: asyncio.Task[None] | None = None
        self._time = tasktime.running()
        self._waiter: asyncio.Future[None] | None = None
        self.is_stream = is_stream
        self.is_read = False
        self.is_unbegun = False

    @property
    def is_unread(self) -> bool:
        """Whether nothing waits and no coroutine has ever asked for what comes."""
        return self.is_stream and not self.is_read and not self._events

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._events)

    @property
    def is_busy(self) -> bool:
        """Whether a coroutine of the user is at work on this connection."""
        return self._task is not None and not self._task.done()

    def drop_messages(self) -> int:
        """Drops what waits, apart from the peer's end; returns how many messages these were."""
        ends = [event for event in self._events if isinstance(event, (Close, ProtocolError))]
        count = len(self._events) - len(ends)
        self._events = deque(ends)
        self._size = 0
        return count

    def put(self, event: Any) -> None:
        """Files an event; pauses the connection's reading when there are many."""
        self._events.append(event)
        if isinstance(event, (str, bytes)):
            self._size += len(event)
        if len(self._events) >= MAX_EVENTS or self._size >= MAX_SIZE:
            self._has_paused = True
            self._connection.pause(PAUSED_BY_INBOX)
        self.wake()

    def wake(self) -> None:
        """Tells an `async for` that waits to look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pop(self) -> Any:
        event = self._events.popleft()
        if isinstance(event, (str, bytes)):
            self._size -= len(event)
        if self._has_paused and self._has_room():
            self._has_paused = False
            self._connection.resume(PAUSED_BY_INBOX)
        return event

    def _has_room(self) -> bool:
        return len(self._events) <= MAX_EVENTS // 2 and self._size <= MAX_SIZE // 2

    # Emptied by a task: async handlers.

    def start(self, first: Coroutine[Any, Any, Any], on_done: Callable[[], None] | None) -> None:
        """Runs a coroutine of the user's, then works off what came meanwhile.

        Args:
            first: what a callback returned.
            on_done: called when `first` has ended well.
        """
        loop = self._connection.service.loop
        self._is_ended = False
        self._task = loop.create_task(self._work(first, on_done))
        self._connection.service.keep(self._task)

    def open(
        self, on_connect: Coroutine[Any, Any, Any], on_done: Callable[[], None] | None
    ) -> None:
        """Runs the coroutine of `on_connect`, as `start` does."""
        self._is_opening = self.is_unbegun = True
        self.start(on_connect, on_done)

    async def _work(
        self, coroutine: Coroutine[Any, Any, Any], on_done: Callable[[], None] | None
    ) -> None:
        connection = self._connection
        self.is_unbegun = False
        try:
            has_ended_well = await self._guarded(coroutine)
            if has_ended_well and on_done is not None:
                on_done()
            self._is_opening = False
            while self._events and not self._is_held and not self._is_ended:
                event = self._pop()
                result = connection.take(event)
                if result is not None:
                    await self._guarded(result)
                if self._events and self._time.is_over():
                    await self._guarded(asyncio.sleep(0))
        finally:  # also where the service stops and has cancelled this task
            self._task = None
            if not self._is_held:
                connection.inbox_is_empty()

    async def _guarded(self, coroutine: Coroutine[Any, Any, Any]) -> bool:
        try:
            await coroutine
        except (asyncio.CancelledError, GeneratorExit) as error:
            service = self._connection.service
            if self._is_cancelled or service.is_stopping or service.poller.is_closed:
                raise  # we have ended it
            self._connection.callback_failed(error)
            task = asyncio.current_task()
            # One that the program has ended, and not what it awaited, may not await any more.
            self._is_ended = (
                isinstance(error, GeneratorExit) or task is None or task.cancelling() > 0
            )
            return False
        except BaseException as error:
            self._connection.callback_failed(error)
            return False
        finally:
            progress.note()
        return True

    # From `async for` to callbacks.

    @property
    def is_awaited(self) -> bool:
        """Whether an `async for` waits for a message now."""
        return self._waiter is not None

    def go_to_callbacks(self) -> None:
        """Has `on_message` get what comes, and what waits already; an `async for` ends."""
        self.is_stream = False
        if not self._is_held and not self.is_busy:
            self.start(_nothing(), None)

    # Held: the program has paused the connection.

    def hold(self) -> None:
        """Keeps events until `release`."""
        self._is_held = True

    def release(self) -> None:
        """Works off what was held, in order, soon."""
        if self._is_held:
            self._is_held = False
            if self.is_stream:
                self.wake()
            elif not self.is_busy:
                self.start(_nothing(), None)

    # Emptied by `async for`.

    async def next_message(self) -> Any:
        """The next message; raises `StopAsyncIteration` when no more can come."""
        self.is_read = True
        connection = self._connection
        if self._events and self._time.is_over():
            await asyncio.sleep(0)
        while self.is_stream:
            while self._events and not self._is_held:
                event = self._pop()
                if not isinstance(event, (Close, ProtocolError)):
                    connection.note_read()
                    return event
                connection.take(event)
            if not connection.may_receive and not self._events:
                break
            if self._waiter is not None:
                raise UsageError("two coroutines read this connection at once; let one read")
            self._waiter = connection.service.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        raise StopAsyncIteration

    def cancel_opening(self) -> None:
        """Ends the coroutine of `on_connect`, if it still runs: its client has gone."""
        if self._is_opening and self._task is not None:
            self._is_cancelled = True
            self._task.cancel()


class Messages:
    """What `async for` goes through.

    Args:
        inbox: where the messages wait; None where no more can come.
    """

    __slots__ = ("_inbox",)

    def __init__(self, inbox: Inbox | None) -> None:
        self._inbox = inbox

    def __aiter__(self) -> Messages:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return _no_more() if self._inbox is None else self._inbox.next_message()


async def _no_more() -> Any:
    raise StopAsyncIteration


async def _nothing() -> None:
    return None
