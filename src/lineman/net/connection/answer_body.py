"""Sends the body of one answer in pieces, no faster than its client reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import TYPE_CHECKING, Any

from lineman.errors import ConnectionLost
from lineman.protocols.http.http_session import HttpSession
from lineman.protocols.http.responses import Response, piece_of

if TYPE_CHECKING:
    from lineman.net.connection.served_file import ServedFile

# While more bytes than this wait for the client, no further piece is asked for.
HIGH_WATER = 64 * 1024
# Pieces after which others have their turn, where the program does not wait by itself.
SHARE = 16
# Bytes of a file that are sent at once.
FILE_PIECE = 2 * 1024 * 1024
TLS_PIECE = 64 * 1024


class AnswerBody:
    """The body of one answer, on its way.

    Args:
        connection: to whom.
        session: what the pieces are framed by.
        response: the answer.
        may_keep: tells whether the connection may be kept for another request.

    Attributes:
        has_begun: whether the head has been sent.
        is_blocked: whether the client must read on before more is sent.
        is_events: whether it is a stream of events.
        is_file: whether it is a file.
    """

    __slots__ = (
        "_connection", "_count", "_may_keep", "_response", "_session", "has_begun", "is_blocked",
        "is_events", "is_file",
    )  # fmt: skip

    def __init__(
        self,
        connection: Any,
        session: HttpSession,
        response: Response,
        may_keep: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._session = session
        self._response = response
        self._may_keep = may_keep
        self._count = 0
        self.has_begun = self.is_blocked = self.is_events = False
        self.is_file = response.file is not None

    async def send(self) -> None:
        """Sends head and body; the caller then finishes the session's answer.

        Raises:
            ConnectionLost: the client has gone.
            Exception: what the program's generator raised, or the file.
        """
        if self.is_file:
            await self._send_file()
            return
        body = self._response.body
        if self._response.has_type:
            self._begin(self._response, None, None)
        try:
            if isinstance(body, AsyncIterable):
                async for item in body:
                    if not await self._send_item(item):
                        break
            else:
                for item in body:
                    if not await self._send_item(item):
                        break
        finally:
            await _close(body)
        if not self.has_begun:
            self._begin(self._response, None, None)

    def _begin(self, response: Response, first: Any, size: int | None) -> None:
        head = self._session.begin(response, first, size, self._may_keep())
        self.has_begun = True
        self.is_events = response.is_events(first)
        self._connection.service.plain_requests += 1
        self._connection.cork(head)

    async def _send_item(self, item: Any) -> bool:
        """Sends a piece; False where nothing of the body is sent."""
        data = piece_of(item)
        connection = self._connection
        if connection.is_over:
            raise ConnectionLost(connection.close_code, connection.close_reason)
        if not self.has_begun:
            self._begin(self._response, item, None)
        if not self._session.sends_body:
            return False
        if data:
            connection.cork(self._session.piece(data))
        self._count += 1
        if connection.unsent >= HIGH_WATER:
            await self._drain()
        elif self._count % SHARE == 0:
            await asyncio.sleep(0)
        return True

    async def _drain(self) -> None:
        self.is_blocked = True
        await self._connection.drain()
        self.is_blocked = False

    # A file.

    async def _send_file(self) -> None:
        from lineman.net.connection import served_file  # most programs do not need it

        with served_file.open_for(self._response, self._connection.request) as served:
            self._begin(served.response, None, served.count)
            if not self._session.sends_body:
                return
            if served.fd < 0:
                if served.body:
                    self._connection.cork(served.body)
            elif self._connection.tls is None:
                await self._send_by_kernel(served)
            else:
                await self._send_read(served)

    async def _send_by_kernel(self, served: ServedFile) -> None:
        offset, end = served.start, served.start + served.count
        self.is_blocked = True
        while offset < end:
            wanted = min(end - offset, FILE_PIECE)
            sent = await self._connection.send_file(served.fd, offset, wanted)
            if not sent:
                raise served.cut(offset)
            offset += sent
            if sent == wanted:  # else the next call waits
                await asyncio.sleep(0)

    async def _send_read(self, served: ServedFile) -> None:
        offset, end = served.start, served.start + served.count
        while offset < end:
            data = served.read(offset, min(end - offset, TLS_PIECE))
            offset += len(data)
            self._connection.cork(data)
            await self._drain()
            await asyncio.sleep(0)


async def _close(body: Any) -> None:
    """Ends a generator that is not used up, so that its `finally` runs now."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
    elif (close := getattr(body, "close", None)) is not None:
        close()
