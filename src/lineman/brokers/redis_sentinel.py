"""A Redis behind Sentinel as the broker: after a failover the new master is used, by `redis-py`."""

from __future__ import annotations

import asyncio
import contextlib

from lineman.brokers.base import Subscriber
from lineman.brokers.hash_slots import Address
from lineman.brokers.redis import Redis
from lineman.brokers.remote import DEFAULT_LIMITS, RemoteLimits, end_tasks
from lineman.brokers.sentinels import Sentinels

# Seconds between looks whether the sentinels name another master.
LOOK = 2.0


class RedisSentinel(Redis):
    """A gateway process' end of the Redis server that sentinels name as the master.

    The session ends when its server does, or when the sentinels name another one. A server that was
    cut off from the sentinels and goes on would otherwise split the nodes.

    Args:
        url: `redis+sentinel://[user:password@]host:26379[,host2:26379…]/service`, or
            `rediss+sentinel://…` for TLS, with redis-py's options after a question mark. User and
            password are those of the servers; the options `sentinel_username` and
            `sentinel_password` those of the sentinels.
        name: the service's name; services with different names do not get each other's messages.
        subscriber: see `Broker`.
        limits: see `Remote`.

    Raises:
        ConfigError: the address names no sentinel, or no service.
    """

    def __init__(
        self,
        url: str,
        name: str,
        subscriber: Subscriber,
        limits: RemoteLimits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(url, name, subscriber, limits)
        self._sentinels = Sentinels(url, self.timeout)
        self._master: Address | None = None

    async def start(self) -> None:
        """Begins to connect to the master, and keeps trying.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
        """
        self._sentinels.open()
        await super(Redis, self).start()

    async def _find(self) -> str:
        self._master = await self._sentinels.master()
        return self._sentinels.url_of(self._master)

    async def _open(self, topics: tuple[str, ...]) -> None:
        await super()._open(topics)
        role = b"master"
        with contextlib.suppress(Exception):  # a user that may publish need not be allowed to ask
            role = (await self._client.execute_command("ROLE"))[0]
        if role != b"master":
            raise ConnectionError("the sentinels name a replica as the master: a failover goes on")

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        sides = [loop.create_task(super()._read()), loop.create_task(self._watch())]
        try:
            done, _ = await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_tasks(sides)
        for side in done:
            side.result()

    async def _watch(self) -> None:
        """Returns never, and raises if the sentinels name another master."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                master = await self._sentinels.master()
            except Exception:  # the session goes on if no sentinel answers
                continue
            if master != self._master:
                raise ConnectionError("the sentinels name another master")

    async def close(self) -> None:
        """Sends what was published, then ends."""
        await super().close()
        await self._sentinels.close()
