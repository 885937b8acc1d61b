"""What a websocket URL says, pure: `wss://example.com/chat?room=7` -> `Target`.

Source: RFC 6455, section 3 (websocket URIs).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from lineman.base.address import with_slashes
from lineman.errors import UsageError

_PORTS = {"ws": 80, "wss": 443}
_INSTEAD = {"http": "ws", "https": "wss"}
# What may stand in a path or a query as it is; everything else is percent-encoded.
_AS_IT_IS = "/%:@!$&'()*+,;=-._~?"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the clients connect.

    Attributes:
        scheme: `ws` or `wss`.
        host: a name or an IP address, IPv6 without brackets.
        port: 1 to 65535.
        resource: path and query, percent-encoded.
        unix_path: the path of a unix socket, whose host is `localhost`; empty for TCP.
    """

    scheme: str
    host: str
    port: int
    resource: str
    unix_path: str = ""

    @property
    def is_tls(self) -> bool:
        """Whether the clients speak TLS."""
        return self.scheme == "wss"

    @property
    def authority(self) -> str:
        """The value of `Host`: with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def opened(self) -> str:
        """What a client opens there."""
        return "websocket"

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must have."""
        return self.host

    @property
    def place(self) -> str:
        """Where it is, in words: `example.com, port 443`."""
        return self.unix_path or f"{self.host}, port {self.port}"

    def with_tls(self, is_tls: bool) -> Target:
        """The same place with TLS or without, for a hint."""
        return self.with_scheme("wss" if is_tls else "ws")

    def with_scheme(self, scheme: str) -> Target:
        """The same place by another scheme, for a hint."""
        return replace(self, scheme=scheme, port=_PORTS[scheme] if self.unix_path else self.port)

    def __str__(self) -> str:
        if self.unix_path:
            asked = "" if self.resource == "/" else f":{self.resource}"
            return f"{self.scheme}+unix://{self.unix_path}{asked}"
        return f"{self.scheme}://{self.authority}{self.resource}"


def parse(url: str) -> Target:
    """Read the URL of a websocket service.

    Raises:
        UsageError: it is none; the message holds the right spelling where it can be guessed.
    """
    example = "write it like ws://127.0.0.1:8282/ or wss://example.com/chat"
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator and (instead := with_slashes(url, (*_PORTS, *_INSTEAD))):
        raise UsageError(f"{url!r} lacks // behind the colon; write {instead}")
    if not separator:
        raise UsageError(f"{url!r} has no scheme; {example}")
    if scheme in _INSTEAD:
        raise UsageError(f"{url!r} is not a websocket address; write {_INSTEAD[scheme]}://{rest}")
    if scheme == "udp":
        raise UsageError(
            f"{url!r} is a service for datagrams, which have no connections; "
            "`lineman doctor app.py` looks at its program, and `lineman status app.py` shows what "
            "came and what was dropped"
        )
    if scheme not in _PORTS:
        raise UsageError(f"{url!r} has the scheme {scheme!r}; {example}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} cannot be read: {error}; {example}") from None
    if not host or port == 0:
        raise UsageError(f"{url!r} has no {'host' if not host else 'port'}; {example}")
    if "@" in parts.netloc:
        raise UsageError(
            f"{url!r} holds a user or a password, which websocket addresses cannot;"
            " send them in a header: --header 'Authorization: Basic …'"
        )
    if parts.fragment or url.endswith("#"):
        raise UsageError(f"{url!r} has a fragment (#…), which is never sent; leave it out")
    try:
        query = f"?{_quoted(parts.query)}" if parts.query else ""
        resource = (_quoted(parts.path) or "/") + query
    except UnicodeError:
        raise UsageError(f"{url!r} has characters that are none; percent-encode them") from None
    return Target(scheme, _host(url, host), _PORTS[scheme] if port is None else port, resource)


def _quoted(text: str) -> str:
    """Percent-encoded, as UTF-8; bytes that the terminal's encoding does not know as they came."""
    return quote(text, safe=_AS_IT_IS, errors="surrogateescape")


def _host(url: str, host: str) -> str:
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).compressed
        except ValueError:
            raise UsageError(f"{host!r} in {url!r} is not an IPv6 address") from None
    try:
        # Where the terminal's encoding is not UTF-8, what was typed may be so all the same.
        host = host.encode("utf-8", "surrogateescape").decode("utf-8")
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise UsageError(f"{host!r} in {url!r} is not a host name") from None
