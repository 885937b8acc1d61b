"""A Redis behind Sentinel as the broker: after a failover the new master is used, by `redis-py`."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lineman.brokers.base import Subscriber
from lineman.brokers.hash_slots import Address
from lineman.brokers.redis import Redis
from lineman.brokers.redis_connection import make_client
from lineman.brokers.remote import DEFAULT_LIMITS, RemoteLimits, end_tasks
from lineman.brokers.several_hosts import SeveralHosts, place_of
from lineman.errors import ConfigError

PORT = 26379
EXAMPLE = "redis+sentinel://:password@host:26379,host2:26379/mymaster"
# Seconds for one sentinel: if its machine is gone, the next one is asked.
PATIENCE = 1.0
# Seconds between looks whether the sentinels name another master.
LOOK = 2.0
_OWN_OPTIONS = ("sentinel_username", "sentinel_password")


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
        parts = self._parts = SeveralHosts.read(url, PORT, EXAMPLE)
        self._service = parts.path
        if not self._service:
            raise ConfigError(
                f"the broker's address {self.shown} names no service of the sentinels",
                f"give its name, as in {EXAMPLE}; redis-cli -p {PORT} sentinel masters shows it",
            )
        options = parse_qsl(parts.query.removeprefix("?"), keep_blank_values=True)
        self._options = [each for each in options if each[0] not in _OWN_OPTIONS]
        self._login = {
            name.removeprefix("sentinel_"): value for name, value in options if name in _OWN_OPTIONS
        }
        self._sentinels: Any = None
        self._master: Address | None = None

    async def start(self) -> None:
        """Begins to connect to the master, and keeps trying.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
        """
        first = make_client(self._url_of(self._parts.hosts[0]), self.timeout)
        from redis.asyncio.sentinel import Sentinel

        self._sentinels = Sentinel(  # type: ignore[no-untyped-call]
            list(self._parts.hosts), sentinel_kwargs=self._sentinel_options(first)
        )
        await super(Redis, self).start()

    def _sentinel_options(self, client: Any) -> dict[str, Any]:
        """How a sentinel is reached: as a server of the same address, but with another login."""
        pool = client.connection_pool
        options = {
            name: value
            for name, value in pool.connection_kwargs.items()
            if name.startswith("ssl_") or name in ("retry", "protocol")
        }
        is_tls = self._parts.scheme.startswith("rediss")
        patience = min(PATIENCE, self.timeout)
        return {
            **options,
            **self._login,
            "ssl": is_tls,
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
        }

    def _url_of(self, address: Address) -> str:
        scheme = self._parts.scheme.partition("+")[0]
        url = self._parts.url_of(address, scheme).partition("?")[0]
        return f"{url}?{urlencode(self._options)}" if self._options else url

    async def _find(self) -> str:
        self._master = await self._ask()
        return self._url_of(self._master)

    async def _ask(self) -> Address:
        from redis.asyncio.sentinel import MasterNotFoundError

        try:
            host, port = await self._sentinels.discover_master(self._service)
        except MasterNotFoundError as error:
            said = _errors_in(str(error))
            if len(said) < len(self._parts.hosts):  # some have answered
                said.insert(0, "those that answer know none that works")
            text = f"no sentinel names a master of {self._service!r}: {', '.join(said)}"
            raise ConnectionError(text) from None
        return str(host), int(port)

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
                master = await self._ask()
            except Exception:  # the session goes on if no sentinel answers
                continue
            if master != self._master:
                raise ConnectionError("the sentinels name another master")

    async def close(self) -> None:
        """Sends what was published, then ends."""
        await super().close()
        if self._sentinels is not None:
            for sentinel in self._sentinels.sentinels:
                await sentinel.aclose()


def _errors_in(text: str) -> list[str]:
    """What each sentinel has said, without the objects of redis-py, which fill its own text."""
    errors = re.findall(r"host=([^,]+),port=(\d+).*?>\)>\)> - ([^,<]+)", text)
    return [f"{place_of((host, int(port)))}: {said}" for host, port, said in errors]
