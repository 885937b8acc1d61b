"""An address of a broker that may name several hosts, in its parts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from lineman.brokers.broker_address import without_login
from lineman.brokers.hash_slots import Address
from lineman.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SeveralHosts:
    """An address with one host or several, separated by commas.

    Attributes:
        scheme: such as `redis+cluster`.
        login: user and password as they are written, with the `@` behind them; empty for none.
        hosts: names or addresses with their ports, at least one.
        path: what follows the hosts, without the slash.
        query: the options, with the question mark; empty for none.
    """

    scheme: str
    login: str
    hosts: tuple[Address, ...]
    path: str
    query: str

    @classmethod
    def read(cls, url: str, port: int, example: str) -> Self:
        """The parts of an address.

        Args:
            url: the address.
            port: of a host that names none.
            example: an address as it is written, for the error.

        Raises:
            ConfigError: a part that names no host.
        """
        # Not with urlsplit: Python 3.13 refuses an IPv6 address behind another one.
        scheme, _, rest = url.partition("://")
        places, mark, query = rest.partition("?")
        place, _, path = places.partition("/")
        login, at, hosts = place.rpartition("@")
        found = []
        for host in hosts.split(","):
            address = _host(host, port)
            if address is None:
                raise ConfigError(
                    f"the broker's address names no node: {host!r} in {without_login(url)}",
                    f"give {example}",
                )
            found.append(address)
        return cls(scheme, login + at, tuple(found), path, mark + query)

    def url_of(self, address: Address, scheme: str) -> str:
        """The address of one host alone, with login and options."""
        return f"{scheme}://{self.login}{place_of(address)}{self.query}"


def place_of(address: Address) -> str:
    """Host and port as they stand in an address; an IPv6 address in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host(host: str, default: int) -> Address | None:
    try:
        one = urlsplit(f"//{host}")
        port = default if one.port is None else one.port
    except ValueError:
        return None
    return (one.hostname, port) if one.hostname and port else None
