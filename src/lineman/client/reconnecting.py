"""A line that comes back by itself: it connects again, and what is sent meanwhile waits."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

from lineman.base.cancellation import is_cancelled_itself
from lineman.base.loglimit import LogLimit
from lineman.client.backoff import Backoff
from lineman.client.client_options import ClientOptions, plan
from lineman.client.client_service import ClientService, service_for
from lineman.client.opening import OpenedLine, open_connection
from lineman.errors import ConnectError, UsageError
from lineman.net.connection.connection import Connection

logger = logging.getLogger("lineman")

# Messages that wait for the program, and their bytes, before the server is slowed down.
UNREAD = 64
UNREAD_SIZE = 256 * 1024

_NOT_ENTERED = "this line was not entered: write `async with connect(…, reconnect=True) as line:`"


class ReconnectingLine:
    """A connection to a server that is opened again whenever it has ended.

    Made by `connect(url, reconnect=True)`.

    Attributes:
        connection: the open `Connection`; None while there is none.
        opened: how often it was opened.
        dropped: messages that were not sent: too many waited, or one that waited cannot be sent.
    """

    def __init__(self, url: str, options: ClientOptions) -> None:
        self._url = url
        self._options = options
        self._plan = plan(url, replace(options, headers=()) if _is_made(options) else options)
        self.connection: Connection | None = None
        self.opened = 0
        self.dropped = 0
        self._waiting: deque[Any] = deque()
        self._unread: deque[Any] = deque()
        self._unread_size = 0
        self._paused: Connection | None = None
        self._is_closed = False
        self._is_entering = False
        self._is_ready = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._backoff = Backoff(options.first_delay, options.last_delay, random.random)
        self._log = LogLimit(logger)

    def __repr__(self) -> str:
        return f"<line to {self._plan.target}, {'open' if self.is_open else 'away'}>"

    if not TYPE_CHECKING:

        def __await__(self) -> NoReturn:
            raise UsageError(
                "connect(…, reconnect=True) is not awaited: write "
                "`async with connect(…, reconnect=True) as line:`, whose end closes it for good"
            )

    @property
    def is_open(self) -> bool:
        """Whether it is connected now."""
        return self.connection is not None and self.connection.is_open

    def send(self, message: Any) -> bool:
        """Sends a message, or keeps it until the line is back and `on_open` is done.

        Returns:
            False where it is dropped: `max_waiting` messages wait already, or the line is closed;
            or as `Connection.send`.

        Raises:
            UsageError: it was not entered; or as `Connection.send`.
        """
        if self._is_ready and self.is_open and not self._waiting:
            assert self.connection is not None
            return self.connection.send(message)
        if self._task is None and not self._is_closed:
            self._check_begun()
        if self._is_closed or len(self._waiting) >= self._options.max_waiting:
            self.dropped += 1
            return False
        self._waiting.append(message)
        return True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes it for good; what waits is dropped, and counted.

        Raises:
            UsageError: as for `Connection.close`; then it goes on.
        """
        if self.connection is not None:
            self.connection.close(None, code, reason)
        self._is_closed = True
        self.dropped += len(self._waiting)
        self._waiting.clear()
        if self.connection is None and self._task is not None:
            self._task.cancel()
        self._changed.set()

    def _check_begun(self) -> None:
        """Raises where a message would wait for nothing."""
        raise UsageError(_NOT_ENTERED)

    def begin(self) -> None:
        """Begins to connect."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def is_used(self) -> bool:
        """Whether it has begun to connect."""
        return self._task is not None

    @property
    def is_done(self) -> bool:
        """Whether it has ended for good."""
        return self._task is not None and self._task.done()

    async def __aenter__(self) -> Self:
        if self._task is not None or self._is_closed:
            raise UsageError("this line is used already; call connect() again for another one")
        self._is_entering = True
        self.begin()
        task = self._task
        assert task is not None
        try:
            while not self.is_open and not task.done():
                self._changed.clear()
                waiting = asyncio.ensure_future(self._changed.wait())
                try:
                    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waiting.cancel()
            if task.done():
                task.result()  # raises what can never work
        except BaseException:
            await self._end()
            raise
        self._is_entering = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        self.close()
        if self._task is not None:
            await asyncio.wait({self._task})
        self._log.tell()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The messages of all its connections in order; ends when it is closed.

        Raises:
            UsageError: it was not entered.
        """
        if self._task is None:
            raise UsageError(_NOT_ENTERED)
        while True:
            while self._unread:
                message = self._unread.popleft()
                self._unread_size -= _size_of(message)
                self._resume()
                yield message
            if self._task.done():
                return
            self._changed.clear()
            await self._changed.wait()

    # Its messages come here, and not into an inbox of the connection, where the server's close
    # would wait behind them: nothing is sent into a connection that has ended.

    def _take(self, connection: Connection, message: Any) -> None:
        self._unread.append(message)
        self._unread_size += _size_of(message)
        if len(self._unread) >= UNREAD or self._unread_size >= UNREAD_SIZE:
            self._paused = connection
            connection.pause_recv()
        self._changed.set()

    def _resume(self) -> None:
        paused = self._paused
        is_low = len(self._unread) <= UNREAD // 2 and self._unread_size <= UNREAD_SIZE // 2
        if paused is not None and is_low:
            self._paused = None
            paused.resume_recv()

    # Connecting.

    async def _run(self) -> None:
        try:
            while not self._is_closed:
                try:
                    await self._serve()
                except Exception as error:  # of the program's own functions
                    if self._is_entering:
                        raise
                    self._log.exception(error, "%s: it is not opened", self)
                if not self._options.reconnect:
                    break
                if not self._is_closed:
                    await asyncio.sleep(self._backoff.next())
        finally:
            self._is_closed = True
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._changed.set()

    async def _serve(self) -> None:
        """Opens one connection, and returns when it has ended, or did not open."""
        try:
            if _is_made(self._options):
                await self._make_headers()
            opened = await open_connection(self._plan)
        except ConnectError as error:
            self._not_opened(error)
            return
        service, connection = self._begin(opened)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.opened += 1
        self.connection = connection
        if self._options.on_open is not None:
            await self._call_on_open(service, connection)
        self._send_waiting(connection)
        self._is_ready = True
        self._changed.set()
        if self._is_closed:
            connection.close()
        await service.ended(connection)
        self._is_ready = False
        self._backoff.note_open(loop.time() - begun)
        self._note_end(connection)

    def _begin(self, opened: OpenedLine) -> tuple[ClientService, Connection]:
        service = service_for(self._plan)
        return service, service.begin(self._plan, opened, self._take)

    def _not_opened(self, error: ConnectError) -> None:
        again = "; it is tried again" if self._options.reconnect else ""
        self._log.log(logging.WARNING, "lines that are away", "%s%s", error, again)

    async def _make_headers(self) -> None:
        assert callable(self._options.headers)
        found = self._options.headers()
        if inspect.isawaitable(found):
            seconds = self._options.timeout
            try:
                async with asyncio.timeout(seconds) as limit:
                    found = await found
            except TimeoutError:
                if not limit.expired():
                    raise
                raise ConnectError(
                    f"headers() of the line to {self._plan.target} has not returned within "
                    f"{seconds:g} s",
                    "see what it waits for; or give a larger timeout",
                ) from None
            except asyncio.CancelledError:
                if is_cancelled_itself():
                    raise
                raise ConnectError(
                    f"headers() of the line to {self._plan.target} has awaited what was cancelled",
                    "see what it waits for",
                ) from None
        self._plan = plan(self._url, replace(self._options, headers=found))

    def _send_waiting(self, connection: Connection) -> None:
        """Sends what waits; a message that cannot be sent is logged, and counted."""
        while self._waiting and connection.is_open:
            try:
                is_sent = connection.send(self._waiting.popleft())
            except Exception as error:
                is_sent = False
                self._log.exception(error, "%s: a message that waited is dropped", self)
            self.dropped += not is_sent

    async def _call_on_open(self, service: ClientService, connection: Connection) -> None:
        assert self._options.on_open is not None
        try:
            result = self._options.on_open(connection)
            if inspect.isawaitable(result):
                await _unless(service.ended(connection), result)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled_itself():
                raise
            self._log.exception(error, "%s: on_open raised; the line is opened again", self)
            connection.close(None, 1011)

    def _note_end(self, connection: Connection) -> None:
        self.connection = None
        if self._options.reconnect and not self._is_closed:
            self._log.log(
                logging.WARNING,
                "lines that have ended",
                "%s has ended: %d %s; it is opened again",
                self._plan.target,
                connection.close_code,
                connection.close_reason,
            )


async def _unless(ended: Awaitable[None], opening: Awaitable[Any]) -> None:
    """Awaits what `on_open` has returned; it is cancelled where the connection ends first."""
    end, task = asyncio.ensure_future(ended), asyncio.ensure_future(opening)
    try:
        await asyncio.wait({end, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        has_returned = task.done()
        end.cancel()
        task.cancel()
    await asyncio.wait({task})
    if has_returned or not task.cancelled():
        task.result()


def _size_of(message: Any) -> int:
    """Bytes or characters of a message; 0 for what a program's own protocol has made."""
    return len(message) if isinstance(message, str | bytes) else 0


def _is_made(options: ClientOptions) -> bool:
    """Whether the headers are made anew for each attempt."""
    return callable(options.headers)
