"""A process' end of the link to the store of shared values in the program's hub."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import count

from lineman.errors import NotReachedError, RefusedError
from lineman.links.link import Link
from lineman.links.rendezvous import dial
from lineman.sharing.store import TIMEOUT, Store
from lineman.sharing.store_messages import FROM_STORE, StoreReply, StoreRequest

RETRY = 0.1
# Operations that may wait for answers.
MAX_WAITING = 10_000


class StoreClient(Store):
    """Asks the store of the hub; dials it at the first operation, and again after its end.

    Args:
        path: the store's unix socket.
        timeout: seconds that an answer may take.
    """

    def __init__(self, path: str, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._timeout = timeout
        self._link: Link | None = None
        self._dialling = asyncio.Lock()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[StoreReply]] = {}
        self._is_closed = False

    async def ask(self, request: StoreRequest) -> StoreReply:
        """Does one operation."""
        if len(self._waiting) >= MAX_WAITING:
            raise RefusedError(
                f"{MAX_WAITING:,} operations on shared values wait for their answers",
                "await them, or do fewer at a time",
            )
        number = request.number = next(self._numbers)
        future: asyncio.Future[StoreReply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(self._timeout):
                link = await self._reach()
                link.post(request, len(request.value))
                return await future
        except TimeoutError:
            raise NotReachedError(
                f"the program's hub has not answered within {self._timeout:g} s",
                "look at the hub in `status`",
            ) from None
        finally:
            del self._waiting[number]

    async def _reach(self) -> Link:
        async with self._dialling:
            while self._link is None:
                if self._is_closed:
                    raise _gone("this process ends")
                with contextlib.suppress(OSError):
                    self._link = await dial(
                        lambda: Link(FROM_STORE, self._on_batch, self._on_end), self._path
                    )
                    break
                await asyncio.sleep(RETRY)
            return self._link

    def _on_batch(self, link: Link, batch: list[StoreReply]) -> None:
        for reply in batch:
            future = self._waiting.get(reply.number)
            if future is not None and not future.done():
                future.set_result(reply)

    def _on_end(self, link: Link, reason: str) -> None:
        if self._link is link:
            self._link = None
            self._fail(reason)

    def _fail(self, reason: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_gone(reason))

    async def close(self) -> None:
        """Ends the link; operations that wait raise `NotReachedError`."""
        self._is_closed = True
        link, self._link = self._link, None
        if link is not None:
            link.close()
        self._fail("this process ends")


def _gone(reason: str) -> NotReachedError:
    return NotReachedError(
        f"the program's hub is gone: {reason}",
        "ask again; what the hub kept is lost with it, and this operation may have been done",
    )
