"""Pushing from ordinary code, which awaits nothing: a view, a cron job, a notebook."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from lineman.errors import NotReachedError
from lineman.gateway.api import ClientOrId, Name, OrderApi, check_names
from lineman.gateway.history_page import HistoryPage
from lineman.gateway.messages import Order
from lineman.gateway.pushing import TIMEOUT, AsyncGatewayClient

T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own, with one connection to the gateway.

    Args:
        given: what makes an `AsyncGatewayClient`.
    """

    def __init__(self, given: tuple[str, str, str | None]) -> None:
        self._given = given
        self._client: AsyncGatewayClient | None = None
        self._connecting = asyncio.Lock()
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lineman-push", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def call(self, make: Callable[[AsyncGatewayClient], Coroutine[Any, Any, T]]) -> T:
        """What a coroutine returns; once more on a new connection where the old one has ended."""
        future = asyncio.run_coroutine_threadsafe(self._try_twice(make), self.loop)
        try:
            return self._result(future, 4 * TIMEOUT)
        except BaseException:
            future.cancel()
            raise

    async def _try_twice(self, make: Callable[[AsyncGatewayClient], Coroutine[Any, Any, T]]) -> T:
        client = await self._connected()
        try:
            return await make(client)
        except NotReachedError:
            if client.is_connected:
                raise  # it is there, and does not answer: nothing is better on a new connection
            await self._drop(client)  # it has been restarted since
        client = await self._connected()
        return await make(client)

    async def _connected(self) -> AsyncGatewayClient:
        async with self._connecting:  # threads that begin at the same time share one
            if self._client is None:
                client = AsyncGatewayClient(*self._given)
                await client.connect()
                self._client = client
            return self._client

    async def _drop(self, client: AsyncGatewayClient) -> None:
        if self._client is client:
            self._client = None
            await client.close()

    def close(self) -> None:
        """Ends all, after what was ordered has left."""
        client, self._client = self._client, None
        try:
            if client is not None:
                future = asyncio.run_coroutine_threadsafe(client.close(), self.loop)
                self._result(future, 3 * TIMEOUT)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(TIMEOUT)

    def _result(self, future: Future[T], timeout: float) -> T:
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():
                raise  # it is the coroutine's own
            raise NotReachedError(
                f"the gateway at {self._given[0]} has not taken what it was told in {timeout:g} s",
                "see that it runs and is not overloaded; push less at a time",
            ) from None


class GatewayClient(OrderApi):
    """Orders and questions to a gateway from ordinary code of another program, without `await`.

    It connects when it is first used and again when it has to, keeps one connection for all
    threads, and is safe to make before a web server forks. A program that pushes faster than the
    gateway takes it waits.

    Args:
        address: as for `AsyncGatewayClient`.
        name, secret: as there.
    """

    def __init__(self, address: str, name: str = "gateway", secret: str | None = None) -> None:
        self._given = (address, name, secret)
        self._lock = threading.Lock()
        self._running: _Loop | None = None
        AsyncGatewayClient(*self._given)  # what is wrong with the address is told now
        _all.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _forget(self) -> None:
        """After a fork: the thread is the parent's, and so may be the lock's holder."""
        self._lock = threading.Lock()
        self._running = None

    def _wait(self, make: Callable[[AsyncGatewayClient], Coroutine[Any, Any, T]]) -> T:
        with self._lock:
            if self._running is None:
                self._running = _Loop(self._given)
                atexit.register(self.close)
            running = self._running
        return running.call(make)

    def _give(self, order: Order) -> None:
        async def give(client: AsyncGatewayClient) -> None:
            client._give(order)
            await client.drain()

        self._wait(give)

    def close(self) -> None:
        """Ends it, after all that was ordered has left; it begins anew when it is used again."""
        atexit.unregister(self.close)
        with self._lock:
            running, self._running = self._running, None
        if running is not None and running.pid == os.getpid():
            running.close()

    # Questions.

    def get_history(self, group: Name, epoch: str = "", offset: int = 0) -> HistoryPage:
        """What was published to a group after a place.

        Args:
            group: the group.
            epoch: of the last message that the client has; empty for all that is kept.
            offset: of the same message.

        Returns:
            A page whose `is_complete` is false where the client must start anew.

        Raises:
            UsageError: the gateway keeps no history.
        """
        return self._wait(lambda api: api.get_history(group, epoch, offset))

    def get_session(self, client: ClientOrId) -> dict[str, Any] | None:
        """A client's session; None where there is no such client."""
        return self._wait(lambda api: api.get_session(client))

    def is_online(self, client: ClientOrId) -> bool:
        """Whether a client is connected."""
        return self._wait(lambda api: api.is_online(client))

    def is_uid_online(self, uid: Name) -> bool:
        """Whether a user is connected, with any client."""
        return self._wait(lambda api: api.is_uid_online(uid))

    def get_client_id_by_uid(self, uid: Name) -> list[str]:
        """The ids of a user's clients."""
        return self._wait(lambda api: api.get_client_id_by_uid(uid))

    def get_uid_by_client_id(self, client: ClientOrId) -> str | None:
        """Which user a client is; None where nobody said so, or it is gone."""
        return self._wait(lambda api: api.get_uid_by_client_id(client))

    def get_groups_by_client_id(self, client: ClientOrId) -> list[str]:
        """The groups that a client is in."""
        return self._wait(lambda api: api.get_groups_by_client_id(client))

    def get_all_client_count(self) -> int:
        """How many clients are connected."""
        return self._wait(lambda api: api.get_all_client_count())

    def get_all_client_id_list(self) -> list[str]:
        """The ids of all clients."""
        return self._wait(lambda api: api.get_all_client_id_list())

    def get_all_client_sessions(self) -> dict[str, dict[str, Any]]:
        """The sessions of all clients, by id."""
        return self._wait(lambda api: api.get_all_client_sessions())

    def get_client_id_count_by_group(self, group: Name) -> int:
        """How many clients are in a group."""
        return self._wait(lambda api: api.get_client_id_count_by_group(group))

    def get_client_id_list_by_group(self, group: Name) -> list[str]:
        """The ids of the clients in a group."""
        return self._wait(lambda api: api.get_client_id_list_by_group(group))

    def get_client_sessions_by_group(self, group: Name) -> dict[str, dict[str, Any]]:
        """The sessions of the clients in a group, by id."""
        return self._wait(lambda api: api.get_client_sessions_by_group(group))

    def get_uid_list_by_group(self, group: Name) -> list[str]:
        """The users that are in a group, each once."""
        return self._wait(lambda api: api.get_uid_list_by_group(group))

    def get_uid_count_by_group(self, group: Name) -> int:
        """How many users are in a group."""
        return self._wait(lambda api: api.get_uid_count_by_group(group))

    def get_all_uid_list(self) -> list[str]:
        """All users that are connected, each once."""
        return self._wait(lambda api: api.get_all_uid_list())

    def get_all_uid_count(self) -> int:
        """How many users are connected."""
        return self._wait(lambda api: api.get_all_uid_count())

    def get_all_group_id_list(self) -> list[str]:
        """All groups that have a member."""
        return self._wait(lambda api: api.get_all_group_id_list())

    def get_all_group_client_id_list(self) -> dict[str, list[str]]:
        """The ids of the clients in each group."""
        return self._wait(lambda api: api.get_all_group_client_id_list())

    def get_all_group_client_id_count(self) -> dict[str, int]:
        """How many clients are in each group."""
        return self._wait(lambda api: api.get_all_group_client_id_count())

    def get_all_group_uid_list(self) -> dict[str, list[str]]:
        """The users that are in each group, each once; a group without one is left out."""
        return self._wait(lambda api: api.get_all_group_uid_list())

    def get_all_group_uid_count(self) -> dict[str, int]:
        """How many users are in each group."""
        return self._wait(lambda api: api.get_all_group_uid_count())

    def is_uids_online(self, uids: Iterable[Name]) -> dict[str, bool]:
        """Whether each of several users is connected, by uid."""
        asked = check_names("uid", uids)  # which may be given only once
        return self._wait(lambda api: api.is_uids_online(asked))

    def batch_get_client_id_by_uid(self, uids: Iterable[Name]) -> dict[str, list[str]]:
        """The ids of the clients of each of several users, by uid."""
        asked = check_names("uid", uids)
        return self._wait(lambda api: api.batch_get_client_id_by_uid(asked))

    def batch_get_client_id_count_by_group(self, groups: Iterable[Name]) -> dict[str, int]:
        """How many clients are in each of several groups, by group."""
        asked = check_names("group", groups)
        return self._wait(lambda api: api.batch_get_client_id_count_by_group(asked))


_all: weakref.WeakSet[GatewayClient] = weakref.WeakSet()


def _forget_all() -> None:
    for client in list(_all):
        client._forget()


os.register_at_fork(after_in_child=_forget_all)
