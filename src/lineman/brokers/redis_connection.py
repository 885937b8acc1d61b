"""A connection to a Redis server for subscriptions, and the common part of Redis brokers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lineman.base.joined_names import joined
from lineman.brokers.base import Subscriber
from lineman.brokers.remote import DEFAULT_LIMITS, Remote, RemoteLimits, parts_of
from lineman.errors import ConfigError

Command = Sequence[bytes]

# Commands of one batch: their answers are read before the next batch is sent, because the server
# closes a connection with too many unread answers.
AT_ONCE = 100
MESSAGES = (b"message", b"smessage")


def make_client(url: str, timeout: float) -> Any:
    """A client for one server.

    Args:
        url: `redis://[user:password@]host:6379`, or `rediss://…`, with redis-py's options.
        timeout: seconds for each step.

    Raises:
        ConfigError: redis-py is missing, or cannot read the address.
    """
    try:
        import redis.asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise ConfigError(
            "a redis:// broker needs the package redis", "pip install 'lineman[redis]'"
        ) from None
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # this module handles lost connections
        )
        # The library checks the options only now.
        client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"redis-py cannot read the broker's address: {error}",
            "give redis://user:password@host:6379, rediss://…, redis+sentinel://… or redis+cluster://…",
        ) from None
    return client


class RedisBroker(Remote):
    """The common part of brokers that use Redis: each topic of a service is a channel.

    Args:
        url, name: see `Redis` and `RedisCluster`.
        subscriber: see `Broker`.
        limits: see `Remote`.
    """

    def __init__(
        self,
        url: str,
        name: str,
        subscriber: Subscriber,
        limits: RemoteLimits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(url, subscriber, limits)
        self._url = url
        self._prefix = f"lineman:{joined(name, '')}".encode()

    def _channel(self, topic: str) -> bytes:
        return self._prefix + topic.encode()

    def _take(self, channel: bytes, payload: bytes) -> None:
        self._on_message(channel[len(self._prefix) :].decode(), payload)


class RedisLine:
    """A separate connection for subscriptions.

    It pings a silent server and needs the answer, because a connection whose packets are lost looks
    like one without messages.

    Args:
        client: redis-py's client for the server.
        timeout: seconds of silence after which the connection is closed.
        on_message: gets channel and payload.
        on_end: gets the name of a channel from which the server has unsubscribed this connection.
    """

    def __init__(
        self,
        client: Any,
        timeout: float,
        on_message: Callable[[bytes, bytes], None],
        on_end: Callable[[bytes], None] = lambda channel: None,
    ) -> None:
        self._connection = client.connection_pool.make_connection()
        self._timeout = timeout
        self._on_message = on_message
        self._on_end = on_end

    async def open(self) -> None:
        """Connects and logs in."""
        await asyncio.wait_for(self._connection.connect(), 2 * self._timeout)

    async def tell(self, commands: Iterable[Command]) -> None:
        """Sends commands; `listen` takes their answers."""
        packed = self._connection.pack_commands(commands)
        await self._connection.send_packed_command(packed, check_health=False)

    async def subscribe(self, commands: Sequence[Command]) -> None:
        """Sends many commands before `listen` runs; returns when each channel is subscribed to."""
        for part in parts_of(commands, AT_ONCE):
            await self.tell(part)
            wanted = sum(len(command) - 1 for command in part)
            while wanted:
                wanted -= self._take(await self._receive())

    async def _receive(self) -> Any:
        response = await self._connection.read_response(
            timeout=self._timeout, disconnect_on_error=False, push_request=True
        )
        if response is None:
            raise ConnectionError(f"it sent nothing for {self._timeout:g} s")
        return response

    async def listen(self) -> None:
        """Hands messages over until the connection ends or the server is silent.

        Raises:
            Exception: any error of redis-py, also for commands that the server refused.
        """
        is_asked = False
        while True:
            response = await self._connection.read_response(
                timeout=self._timeout / 2, disconnect_on_error=False, push_request=True
            )
            if response is not None:
                is_asked = False
                self._take(response)
            elif is_asked:
                raise ConnectionError(f"it sent nothing for {self._timeout:g} s")
            else:
                is_asked = True
                await self.tell([(b"PING",)])

    def _take(self, response: Any) -> int:
        """Takes one answer; returns 1 if it confirms a subscription, else 0."""
        if not isinstance(response, list) or len(response) < 3:
            return 0  # a pong
        kind = response[0]
        if kind in MESSAGES:
            self._on_message(response[1], response[2])
        elif kind == b"sunsubscribe":
            self._on_end(response[1])
        return kind in (b"subscribe", b"ssubscribe")

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.disconnect(nowait=True)
