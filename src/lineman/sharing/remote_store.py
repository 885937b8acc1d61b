"""What the stores of shared values at a broker's server have in common."""

from __future__ import annotations

import abc
import asyncio

from lineman.errors import NotReachedError, RefusedError
from lineman.sharing.store import TIMEOUT, Store
from lineman.sharing.store_messages import StoreReply, StoreRequest

# Operations of this process that may wait for answers, and those of them that are under way.
MAX_WAITING = 10_000
AT_ONCE = 64


class RemoteStore(Store):
    """Does operations at a server, a bounded number at a time.

    Args:
        server: its name for errors, such as `Redis`.
        timeout: seconds that an answer may take.
    """

    def __init__(self, server: str, timeout: float = TIMEOUT) -> None:
        self._server_name = server
        self._timeout = timeout
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def ask(self, request: StoreRequest) -> StoreReply:
        """Does one operation."""
        if self._waiting >= MAX_WAITING:
            raise RefusedError(
                f"{MAX_WAITING:,} operations on shared values wait for their answers",
                "await them, or do fewer at a time",
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                return await self._do(request)
        except TimeoutError:
            raise self._unreached(f"no answer within {self._timeout:g} s") from None
        finally:
            self._waiting -= 1

    def _unreached(self, why: str) -> NotReachedError:
        return NotReachedError(
            f"{self._server_name} does not answer: {why}",
            "look at the server; the operation may have been done",
        )

    @abc.abstractmethod
    async def _do(self, request: StoreRequest) -> StoreReply:
        """Does one operation, however long it takes.

        Raises:
            NotReachedError, RefusedError: see `Store`.
            TimeoutError: the server does not answer.
        """
