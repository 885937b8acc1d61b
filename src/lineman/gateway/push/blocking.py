"""Pushing from ordinary code without `await`: a view, a cron job, a notebook."""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from lineman.brokers.signing import Secret
from lineman.errors import NotReachedError
from lineman.gateway.push.api import Api, OrderApi
from lineman.gateway.push.pushing import TIMEOUT, AsyncGatewayClient
from lineman.gateway.wire.messages import Order
from lineman.gateway.wire.timer_messages import TimerOrder

P = ParamSpec("P")
T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own, with one connection to the gateway.

    Args:
        given, timeout: the arguments of an `AsyncGatewayClient`.
    """

    def __init__(self, given: tuple[str, str, Secret], timeout: float) -> None:
        self._given = given
        self._timeout = timeout
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
        """Runs a coroutine; tries once more on a new connection if the old one has ended."""
        future = asyncio.run_coroutine_threadsafe(self._try_twice(make), self.loop)
        try:
            return self._result(future, 4 * self._timeout)
        except BaseException:
            future.cancel()
            raise

    async def _try_twice(self, make: Callable[[AsyncGatewayClient], Coroutine[Any, Any, T]]) -> T:
        client = await self._connected()
        try:
            return await make(client)
        except NotReachedError:
            if client.is_connected:
                raise  # the gateway is connected and does not answer: a new connection cannot help
            await self._drop(client)  # the gateway may have been restarted
        client = await self._connected()
        return await make(client)

    async def _connected(self) -> AsyncGatewayClient:
        async with self._connecting:  # threads that start at the same time share one connection
            if self._client is None:
                client = AsyncGatewayClient(*self._given, timeout=self._timeout)
                await client.connect()
                self._client = client
            return self._client

    async def _drop(self, client: AsyncGatewayClient) -> None:
        if self._client is client:
            self._client = None
            await client.close()

    def close(self) -> None:
        """Sends what was ordered, then ends the connection and the thread."""
        client, self._client = self._client, None
        try:
            if client is not None:
                future = asyncio.run_coroutine_threadsafe(client.close(), self.loop)
                self._result(future, 3 * self._timeout)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(self._timeout)

    def _result(self, future: Future[T], timeout: float) -> T:
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():
                raise  # it is the coroutine's own
            raise NotReachedError(
                f"the gateway at {self._given[0]} has not accepted the order within {timeout:g} s",
                "see that it runs and is not overloaded; push less at a time",
            ) from None


def _waiting(
    ask: Callable[Concatenate[Api, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[GatewayClient, P], T]:
    """Makes the blocking variant of a method of `Api`: it waits for the answer and returns it."""

    @functools.wraps(ask)
    def wait(self: GatewayClient, /, *args: P.args, **named: P.kwargs) -> T:
        # The question may be sent twice, so an iterator is read once, and in the caller's thread.
        given: Any = [_kept(argument) for argument in args]
        kept: Any = {name: _kept(argument) for name, argument in named.items()}
        return self._wait(lambda api: ask(api, *given, **kept))

    wait.__module__ = __name__
    wait.__qualname__ = f"GatewayClient.{ask.__name__}"
    return wait


def _kept(argument: object) -> object:
    return list(argument) if isinstance(argument, Iterator) else argument


class GatewayClient(OrderApi):
    """Orders and questions to a gateway from ordinary code of another program, without `await`.

    It connects at its first use and again when needed, and keeps one connection for all threads.
    It may be made before a web server forks. If a program pushes faster than the gateway reads, its
    calls wait.

    Args:
        address: as for `AsyncGatewayClient`.
        name, secret, timeout: as there.
    """

    def __init__(
        self,
        address: str,
        name: str = "gateway",
        secret: Secret = None,
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        self._given = (address, name, secret)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._running: _Loop | None = None
        AsyncGatewayClient(*self._given, timeout=timeout)  # a wrong address is reported now
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
                self._running = _Loop(self._given, self._timeout)
                atexit.register(self.close)
            running = self._running
        return running.call(make)

    def _give(self, order: Order) -> None:
        async def give(client: AsyncGatewayClient) -> None:
            client._give(order)
            await client.drain()

        self._wait(give)

    def _give_timer(self, order: TimerOrder) -> None:
        async def give(client: AsyncGatewayClient) -> None:
            client._give_timer(order)
            await client.drain()

        self._wait(give)

    def close(self) -> None:
        """Sends what was ordered, then ends the connection; the next use opens a new one."""
        atexit.unregister(self.close)
        with self._lock:
            running, self._running = self._running, None
        if running is not None and running.pid == os.getpid():
            running.close()

    # Questions: the methods of `Api`, which here wait for the answer.

    answers = Api.answers
    get_history = _waiting(Api.get_history)
    is_broker_connected = _waiting(Api.is_broker_connected)
    get_session = _waiting(Api.get_session)
    is_online = _waiting(Api.is_online)
    is_uid_online = _waiting(Api.is_uid_online)
    get_client_id_by_uid = _waiting(Api.get_client_id_by_uid)
    get_uid_by_client_id = _waiting(Api.get_uid_by_client_id)
    get_groups_by_client_id = _waiting(Api.get_groups_by_client_id)
    get_all_client_count = _waiting(Api.get_all_client_count)
    get_all_client_id_list = _waiting(Api.get_all_client_id_list)
    get_all_client_sessions = _waiting(Api.get_all_client_sessions)
    get_client_id_count_by_group = _waiting(Api.get_client_id_count_by_group)
    get_client_id_list_by_group = _waiting(Api.get_client_id_list_by_group)
    get_client_sessions_by_group = _waiting(Api.get_client_sessions_by_group)
    get_uid_list_by_group = _waiting(Api.get_uid_list_by_group)
    get_uid_count_by_group = _waiting(Api.get_uid_count_by_group)
    get_all_uid_list = _waiting(Api.get_all_uid_list)
    get_all_uid_count = _waiting(Api.get_all_uid_count)
    get_all_group_id_list = _waiting(Api.get_all_group_id_list)
    get_all_group_client_id_list = _waiting(Api.get_all_group_client_id_list)
    get_all_group_client_id_count = _waiting(Api.get_all_group_client_id_count)
    get_all_group_uid_list = _waiting(Api.get_all_group_uid_list)
    get_all_group_uid_count = _waiting(Api.get_all_group_uid_count)
    is_uids_online = _waiting(Api.is_uids_online)
    batch_get_client_id_by_uid = _waiting(Api.batch_get_client_id_by_uid)
    batch_get_client_id_count_by_group = _waiting(Api.batch_get_client_id_count_by_group)


_all: weakref.WeakSet[GatewayClient] = weakref.WeakSet()


def _forget_all() -> None:
    for client in list(_all):
        client._forget()


os.register_at_fork(after_in_child=_forget_all)
