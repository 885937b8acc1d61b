"""The interface of a store of shared values, and the one of a program of a single process."""

from __future__ import annotations

import abc
import asyncio

from lineman.sharing.store_messages import StoreReply, StoreRequest
from lineman.sharing.value_store import ValueStore

# Seconds that an answer may take.
TIMEOUT = 10.0


class Store(abc.ABC):
    """Does operations on shared values."""

    @abc.abstractmethod
    async def ask(self, request: StoreRequest) -> StoreReply:
        """Does one operation.

        Raises:
            NotReachedError: the store does not answer; the operation may have been done.
            RefusedError: it refuses.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Ends the connection; operations that wait raise `NotReachedError`."""


class LocalStore(Store):
    """The values of a program that is this process alone."""

    def __init__(self) -> None:
        self._values = ValueStore(asyncio.get_running_loop().time)

    async def ask(self, request: StoreRequest) -> StoreReply:
        """Does one operation."""
        return self._values.apply(request)

    async def close(self) -> None:
        """Does nothing."""
