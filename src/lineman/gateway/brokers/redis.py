"""Redis as the broker: its pub/sub, by `redis-py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lineman.errors import ConfigError
from lineman.gateway.brokers.remote import TIMEOUT, Remote, Work

# Subscribed to in one command.
TOPICS_AT_ONCE = 1000


class Redis(Remote):
    """A gateway process' end of a Redis server.

    Args:
        url: `redis://[user:password@]host:6379`, or `rediss://…` for TLS, with redis-py's options
            after a question mark (`?ssl_ca_certs=ca.pem`).
        name: of the service; services with different names hear nothing of each other.
        others: see `Broker`.
    """

    def __init__(
        self,
        url: str,
        name: str,
        on_message: Callable[[str, bytes], None],
        on_state: Callable[[bool], None],
        topics: Callable[[], Iterable[str]],
    ) -> None:
        super().__init__(on_message, on_state, topics)
        self._url = url
        self._prefix = f"lineman:{name}:".encode()
        self._client: Any = None
        self._pubsub: Any = None

    async def start(self) -> None:
        """Begins to reach the server, and goes on trying.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
        """
        self._make_client()  # what is wrong with the address is told now
        await super().start()

    def _make_client(self) -> Any:
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
                self._url,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                health_check_interval=TIMEOUT,
                retry=Retry(NoBackoff(), 0),  # a lost connection is ours to notice
            )
            # It looks at the options only now.
            client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"the broker's address is none that redis-py reads: {error}",
                "give redis://user:password@host:6379 or rediss://…",
            ) from None
        return client

    async def _open(self, topics: tuple[str, ...]) -> None:
        self._client = self._make_client()
        await self._client.ping()
        self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
        # One that nobody publishes on: redis-py reads only while it has subscribed to something.
        await self._pubsub.subscribe(self._prefix)
        await self._subscribe(topics)

    async def _subscribe(self, topics: tuple[str, ...]) -> None:
        for start in range(0, len(topics), TOPICS_AT_ONCE):
            await self._pubsub.subscribe(*self._channels(topics[start : start + TOPICS_AT_ONCE]))

    def _channels(self, topics: Iterable[str]) -> list[bytes]:
        return [self._prefix + topic.encode() for topic in topics]

    async def _read(self) -> None:
        skip = len(self._prefix)
        while True:
            message = await self._pubsub.get_message(timeout=TIMEOUT)
            if message is not None and message["type"] == "message":
                self._on_message(message["channel"][skip:].decode(), message["data"])

    async def _write(self, work: list[Work]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for one in work:
            if one.topic is not None:
                pipeline.publish(self._prefix + one.topic.encode(), one.payload)
            elif one.subscribe:
                await self._subscribe(one.subscribe)
            elif one.unsubscribe:
                await self._pubsub.unsubscribe(*self._channels(one.unsubscribe))
        if len(pipeline):
            await pipeline.execute()

    async def _shut(self) -> None:
        pubsub, client = self._pubsub, self._client
        self._pubsub = self._client = None
        if pubsub is not None:
            await pubsub.aclose()
        if client is not None:
            await client.aclose()
