"""A connection to NATS JetStream for what a service keeps there, by `nats-py`.

It is made anew when it is needed after its end. The library's own reconnecting is off: it would
send what the caller has given up already.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from lineman.brokers.nats import EXAMPLE, login_of
from lineman.brokers.remote import end_tasks
from lineman.brokers.several_hosts import SeveralHosts, place_of

T = TypeVar("T")

# The header with the sequence number that the last message of its subject must have, and the
# server's code for a message whose predecessor is another one.
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
WRONG_LAST = 10071
# Seconds for closing a connection.
CLOSING = 1.0


class JetStream:
    """Reaches the JetStream of NATS 2.9 or newer.

    Args:
        url: as for `Nats`.
        timeout: seconds for each request.
        prepare: gets nats-py's context of each new connection, and makes the stream.
    """

    def __init__(self, url: str, timeout: float, prepare: Callable[[Any], Awaitable[None]]) -> None:
        self._parts = SeveralHosts.read(url, 4222, EXAMPLE)
        self._timeout = timeout
        self._prepare = prepare
        self._client: Any = None
        self._jetstream: Any = None
        self._ended: asyncio.Future[None] | None = None  # done when the connection has ended
        self._reaching = asyncio.Lock()

    async def reach(self) -> Any:
        """The context of nats-py for requests; connects if need be.

        Raises:
            Exception: any of the library's.
        """
        async with self._reaching:
            if self._client is None or not self._client.is_connected:
                await self.close()
                await self._connect()
            return self._jetstream

    async def _connect(self) -> None:
        from nats.aio.client import Client
        from nats.errors import NoServersError

        said: list[Exception] = []

        async def on_error(error: Exception) -> None:
            said.append(error)  # requests raise by themselves

        async def on_end() -> None:
            if not ended.done():
                ended.set_result(None)

        ended = self._ended = asyncio.get_running_loop().create_future()
        seconds = max(1, round(self._timeout))
        parts = self._parts
        options: dict[str, Any] = dict(login_of(parts))
        client = self._client = Client()
        connecting = client.connect(
            [f"{parts.scheme}://{place_of(each)}" for each in parts.hosts],
            **options,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=seconds,
            ping_interval=max(1, seconds // 2),
            error_cb=on_error,
            disconnected_cb=on_end,
            closed_cb=on_end,
            tls=ssl.create_default_context() if parts.scheme == "tls" else None,
        )
        try:
            await asyncio.wait_for(connecting, 2 * self._timeout)
        except NoServersError as error:
            raise ConnectionError(str(said[-1] if said else error)) from None
        jetstream = client.jetstream(timeout=self._timeout)
        await self._prepare(jetstream)
        self._jetstream = jetstream

    async def while_connected(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of requests, which the library would await after the connection has ended."""
        ended = self._ended
        assert ended is not None
        task = asyncio.ensure_future(coroutine)
        try:
            await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ConnectionError("the connection has ended")
            return task.result()
        finally:
            await end_tasks([task])

    async def close(self) -> None:
        """Closes the connection."""
        client, self._client = self._client, None
        self._jetstream = None
        if client is not None:
            # Behind a handshake that has failed the library would wait for ever.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.close(), CLOSING)
