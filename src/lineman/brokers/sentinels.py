"""The sentinels of an address, which name the Redis server that is the master, by `redis-py`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lineman.brokers.broker_address import without_login
from lineman.brokers.hash_slots import Address
from lineman.brokers.redis_connection import make_client
from lineman.brokers.several_hosts import SeveralHosts, place_of
from lineman.errors import ConfigError

PORT = 26379
EXAMPLE = "redis+sentinel://:password@host:26379,host2:26379/mymaster"
# Seconds for one sentinel: if its machine is gone, the next one is asked.
PATIENCE = 1.0
_OWN_OPTIONS = ("sentinel_username", "sentinel_password")


class Sentinels:
    """Asks sentinels for the master of one service.

    Args:
        url: see `RedisSentinel`.
        timeout: seconds for each step.

    Raises:
        ConfigError: the address names no sentinel, or no service.
    """

    def __init__(self, url: str, timeout: float) -> None:
        parts = self._parts = SeveralHosts.read(url, PORT, EXAMPLE)
        self._timeout = timeout
        if not parts.path:
            raise ConfigError(
                f"the broker's address {without_login(url)} names no service of the sentinels",
                f"give its name, as in {EXAMPLE}; redis-cli -p {PORT} sentinel masters shows it",
            )
        options = parse_qsl(parts.query.removeprefix("?"), keep_blank_values=True)
        self._options = [each for each in options if each[0] not in _OWN_OPTIONS]
        self._login = {
            name.removeprefix("sentinel_"): value for name, value in options if name in _OWN_OPTIONS
        }
        self._made: Any = None

    def open(self) -> Any:
        """redis-py's object for the sentinels.

        Raises:
            ConfigError: redis-py is missing, or cannot read the address.
        """
        if self._made is None:
            kwargs = self._master_options()
            from redis.asyncio.sentinel import Sentinel

            patience = min(PATIENCE, self._timeout)
            # As a server of the same address, but with another login.
            shared = ("ssl", "retry", "protocol")
            theirs = {
                name: value
                for name, value in kwargs.items()
                if name in shared or name.startswith("ssl_")
            }
            theirs |= {"socket_timeout": patience, "socket_connect_timeout": patience}
            self._made = Sentinel(  # type: ignore[no-untyped-call]
                list(self._parts.hosts), sentinel_kwargs=theirs | self._login
            )
        return self._made

    def _master_options(self) -> dict[str, Any]:
        """How the master is reached, as redis-py takes it apart from host and port."""
        pool = make_client(self.url_of(self._parts.hosts[0]), self._timeout).connection_pool
        options = {
            name: value
            for name, value in pool.connection_kwargs.items()
            if name not in ("host", "port")
        }
        return {**options, "ssl": self._parts.scheme.startswith("rediss")}

    def url_of(self, address: Address) -> str:
        """The address of one server, with the login and the options."""
        scheme = self._parts.scheme.partition("+")[0]
        url = self._parts.url_of(address, scheme).partition("?")[0]
        return f"{url}?{urlencode(self._options)}" if self._options else url

    async def master(self) -> Address:
        """The address of the master.

        Raises:
            ConnectionError: no sentinel names one.
        """
        from redis.asyncio.sentinel import MasterNotFoundError

        try:
            host, port = await self.open().discover_master(self._parts.path)
        except MasterNotFoundError as error:
            said = errors_in(str(error))
            if len(said) < len(self._parts.hosts):  # some have answered
                said.insert(0, "those that answer know none that works")
            text = f"no sentinel names a master of {self._parts.path!r}: {', '.join(said)}"
            raise ConnectionError(text) from None
        return str(host), int(port)

    async def close(self) -> None:
        """Closes the connections to the sentinels."""
        made, self._made = self._made, None
        for sentinel in () if made is None else made.sentinels:
            await sentinel.aclose()


def errors_in(text: str) -> list[str]:
    """What each sentinel has said, without the objects of redis-py, which fill its own text."""
    errors = re.findall(r"host=([^,]+),port=(\d+).*?>\)>\)> - ([^,<]+)", text)
    return [f"{place_of((host, int(port)))}: {said}" for host, port, said in errors]
