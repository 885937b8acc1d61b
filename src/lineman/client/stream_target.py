"""Where clients of protocols without HTTP connect: `text+tls://localhost:9000`, `udp://[::1]:53`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lineman.base import address
from lineman.base.address import STREAMS, Address
from lineman.errors import ConfigError, UsageError
from lineman.protocols.websocket.client import url as websocket_url
from lineman.protocols.websocket.client.url import Target


@dataclass(frozen=True, slots=True)
class StreamTarget:
    """Where the clients connect.

    Attributes:
        address: of the service.
    """

    address: Address

    @property
    def scheme(self) -> str:
        """The protocol, with `+tls` where the clients speak it."""
        return self.address.scheme

    @property
    def protocol(self) -> str:
        """`text`, `frame`, `tcp` or `udp`."""
        return self.address.protocol

    @property
    def host(self) -> str:
        """A name or an IP address, IPv6 without brackets; for a unix socket its path."""
        return self.address.path or self.address.host

    @property
    def unix_path(self) -> str:
        """The path of a unix socket; empty for TCP."""
        return self.address.path

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must have: `localhost` on a unix socket."""
        return self.address.host or "localhost"

    @property
    def port(self) -> int:
        """1 to 65535; 0 for a unix socket."""
        return self.address.port

    @property
    def place(self) -> str:
        """Where it is, in words: `localhost, port 9000`."""
        return self.address.path or f"{self.host}, port {self.port}"

    @property
    def opened(self) -> str:
        """What a client opens there."""
        return "connection"

    @property
    def is_tls(self) -> bool:
        """Whether the clients speak TLS."""
        return self.address.is_tls

    def with_tls(self, is_tls: bool) -> StreamTarget:
        """The same place with TLS or without, for a hint; UDP has no TLS."""
        if self.protocol == "udp":
            return self
        return StreamTarget(self.address.over(is_tls))

    def __str__(self) -> str:
        return str(self.address)


AnyTarget = Target | StreamTarget


def parse(url: str) -> AnyTarget:
    """Reads the URL of a service that speaks websocket or a protocol without HTTP.

    Raises:
        UsageError: it is none; the message holds the right spelling where it can be guessed.
    """
    name, _, rest = url.partition(":")
    if name.lower() in ("ws+unix", "wss+unix"):
        return _websocket_on_unix(url)
    if name.lower().endswith("s") and name.lower()[:-1] in STREAMS:
        instead = f"{name.lower()[:-1]}+tls:{rest}"
        raise UsageError(f"{url!r} has the scheme {name!r}; for TLS write {instead}")
    if name.lower().partition("+")[0] not in (*STREAMS, "udp"):
        return websocket_url.parse(url)
    is_unix = name.lower().endswith("+unix")
    if not is_unix and rest.startswith("//") and (path := rest[2:].partition("/")[2]):
        raise UsageError(f"{url!r} has a path, /{path}, which {name}:// cannot send; leave it out")
    try:
        found = address.parse(url if is_unix else url.rstrip("/"))
    except ConfigError as error:
        raise UsageError(f"{error.seen}; {error.fix}") from None
    if not (found.path or found.port):
        raise UsageError(
            f"{url!r} has no port that a client can connect to; give that of the service"
        )
    return StreamTarget(found)


def _websocket_on_unix(url: str) -> Target:
    """`ws+unix:///run/app.sock:/chat?room=7`: behind a colon the request, as npm's ws."""
    scheme, _, rest = url.partition(":")
    path, colon, resource = rest.partition(":/")
    resource = "/" + resource if colon else ""
    try:
        found = address.parse(f"{scheme}:{path}")
    except ConfigError as error:
        raise UsageError(f"{error.seen}; {error.fix}") from None
    asked = websocket_url.parse(f"{found.scheme}://localhost{resource}")
    return replace(asked, unix_path=found.path)
