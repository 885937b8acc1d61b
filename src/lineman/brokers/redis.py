"""Redis as the broker: its pub/sub, by `redis-py`."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from lineman.brokers.base import Subscriber
from lineman.brokers.redis_connection import RedisBroker, RedisLine, make_client
from lineman.brokers.remote import DEFAULT_LIMITS, PendingWrite, RemoteLimits, parts_of

logger = logging.getLogger("lineman")

# The number of channels in one command.
TOPICS_AT_ONCE = 100


class Redis(RedisBroker):
    """A gateway process' end of a Redis server.

    Args:
        url: `redis://[user:password@]host:6379`, or `rediss://…` for TLS, with redis-py's options
            after a question mark (`?ssl_ca_certs=ca.pem`).
        name: the service's name; services with different names do not get each other's messages.
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
        super().__init__(url, name, subscriber, limits)
        self._client: Any = None
        self._line: RedisLine | None = None
        self._has_warned = False

    async def start(self) -> None:
        """Begins to connect to the server, and keeps trying.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
        """
        make_client(self._url, self.timeout)  # errors in the address are reported now
        await super().start()

    async def _open(self, topics: tuple[str, ...]) -> None:
        self._client = make_client(await self._find(), self.timeout)
        await self._client.ping()
        await self._look_for_cluster()
        self._line = RedisLine(self._client, self.timeout, self._take)
        await self._line.open()
        await self._line.subscribe(self._commands(b"SUBSCRIBE", topics))

    async def _find(self) -> str:
        """The address of the server."""
        return self._url

    async def _look_for_cluster(self) -> None:
        info: dict[str, Any] = {}
        with contextlib.suppress(
            Exception
        ):  # a user that may publish need not be allowed to ask this
            info = await self._client.info("server")
        if info.get("redis_mode") == "cluster" and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the broker is one node of a Redis Cluster: every message goes to all of its "
                "nodes, and if this one fails, no other is used; give redis+cluster://…"
            )

    def _commands(self, verb: bytes, topics: tuple[str, ...]) -> list[tuple[bytes, ...]]:
        return [(verb, *map(self._channel, part)) for part in parts_of(topics, TOPICS_AT_ONCE)]

    async def _read(self) -> None:
        assert self._line is not None
        await self._line.listen()

    async def _write(self, work: list[PendingWrite]) -> None:
        assert self._line is not None
        pipeline = self._client.pipeline(transaction=False)
        for one in work:
            if one.topic is not None:
                pipeline.publish(self._channel(one.topic), one.payload)
            elif one.subscribe:
                await self._line.tell(self._commands(b"SUBSCRIBE", one.subscribe))
            elif one.unsubscribe:
                await self._line.tell(self._commands(b"UNSUBSCRIBE", one.unsubscribe))
        if len(pipeline):
            await pipeline.execute()

    async def _shut(self) -> None:
        line, client = self._line, self._client
        self._line = self._client = None
        if line is not None:
            await line.close()
        if client is not None:
            await client.aclose()
