"""The client that asks a Redis address for keys: one server, a sentinels' master, or a cluster."""

from __future__ import annotations

import asyncio
from typing import Any

from lineman.brokers.hash_slots import Address
from lineman.brokers.redis_cluster import EXAMPLE
from lineman.brokers.redis_connection import make_client
from lineman.brokers.redis_sentinel import LOOK
from lineman.brokers.sentinels import Sentinels
from lineman.brokers.several_hosts import SeveralHosts
from lineman.errors import ConfigError


class RedisCommands:
    """Has the client for what a service keeps at its broker.

    Args:
        url: as for `Redis`, `RedisSentinel` or `RedisCluster`.
        timeout: seconds for each step.

    Attributes:
        client: the client of redis-py; None before the first `reach`.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._sentinels: Sentinels | None = None
        self._master: Address | None = None
        self._asked_at = 0.0  # when the sentinels were asked for the master
        self._reaching = asyncio.Lock()
        self.client: Any = None

    async def reach(self) -> Any:
        """The client.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
            ConnectionError: no sentinel names a master.
        """
        kind = self._url.partition("://")[0].partition("+")[2]
        if kind == "sentinel":
            async with self._reaching:
                await self._follow_master()
        elif self.client is None:
            make = _cluster_client if kind == "cluster" else make_client
            self.client = make(self._url, self._timeout)
        return self.client

    async def _follow_master(self) -> None:
        """Sees that the client is that of the server which the sentinels name as the master.

        One that was cut off from the sentinels and goes on would lose what it keeps.
        """
        now = asyncio.get_running_loop().time()
        if self.client is not None and now < self._asked_at + LOOK:
            return
        self._sentinels = self._sentinels or Sentinels(self._url, self._timeout)
        self._asked_at = now
        try:
            master = await self._sentinels.master()
        except ConnectionError:
            if self.client is None:
                raise
            return  # what is connected goes on if no sentinel answers
        if self.client is None or master != self._master:
            before, self._master = self.client, master
            self.client = make_client(self._sentinels.url_of(master), self._timeout)
            if before is not None:
                await before.aclose()

    async def close(self) -> None:
        """Closes the connections."""
        client, self.client = self.client, None
        if client is not None:
            await client.aclose()
        if self._sentinels is not None:
            await self._sentinels.close()


def _cluster_client(url: str, timeout: float) -> Any:
    """A client for a Redis Cluster; redis-py follows its slots by itself."""
    parts = SeveralHosts.read(url, 6379, EXAMPLE)
    single = parts.url_of(parts.hosts[0], parts.scheme.partition("+")[0])
    make_client(single, timeout)  # errors in the address are reported as for the other broker
    from redis.asyncio.cluster import ClusterNode, RedisCluster
    from redis.asyncio.connection import SSLConnection, parse_url
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options: dict[str, Any] = dict(parse_url(single))
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    options.pop("host", None)
    options.pop("port", None)
    try:
        return RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in parts.hosts],
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),  # what was repeated might be done twice
            **options,
        )
    except TypeError as error:
        raise ConfigError(
            f"redis-py cannot read the broker's address: {error}",
            "leave options out of it that a Redis Cluster does not know",
        ) from None
