"""Reads the address that a worker listens on: `wss://0.0.0.0:443` -> `Address`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from lineman.errors import ConfigError

# Of protocols on a byte stream, each with what it is over TLS.
STREAMS = {"tcp": "tcp+tls", "text": "text+tls", "frame": "frame+tls"}
_SCHEMES = {
    "ws": "ws",
    "wss": "wss",
    "websocket": "ws",
    "http": "http",
    "https": "https",
    "udp": "udp",
    **{scheme: scheme for pair in STREAMS.items() for scheme in pair},
}
_UNIX_SCHEMES = {f"{name}+unix": scheme for name, scheme in _SCHEMES.items() if name != "udp"}
_OVER_TLS = {"ws": "wss", "http": "https", **STREAMS}
_WITHOUT_TLS = {over_tls: plain for plain, over_tls in _OVER_TLS.items()}
MAX_PATH = 107  # bytes of a unix socket's path (unix(7), sun_path)
_LATER_SCHEMES = frozenset({"ssl", "unix"})
_DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}

_HOST_NAME = re.compile(
    r"(?=.{1,253}\.?\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.)*"
    r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}\.?"
)
_EXAMPLE = "write it like ws://0.0.0.0:8282 or wss://0.0.0.0:443"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a worker listens and what it speaks there.

    Attributes:
        scheme: `ws` or `wss` (the alias `websocket` has become `ws`), `http`, `https`, `udp`,
            `tcp`, `text`, `frame`, or one of the last three with `+tls`.
        host: an IP address (IPv6 without brackets) or a host name.
        port: 0 to 65535; 0 lets the kernel choose.
        path: the path of a unix socket, which has neither host nor port; empty for TCP.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def is_tls(self) -> bool:
        """Whether the worker speaks TLS itself."""
        return self.scheme in _WITHOUT_TLS

    @property
    def protocol(self) -> str:
        """What is spoken there, with TLS or without: `ws`, `http`, `tcp`, `text` and so on."""
        return without_tls(self.scheme)

    def over(self, is_tls: bool) -> Address:
        """The same with TLS, or without; a protocol that cannot be over TLS stays as it is."""
        protocol = self.protocol
        scheme = _OVER_TLS.get(protocol, protocol) if is_tls else protocol
        return replace(self, scheme=scheme)

    def __str__(self) -> str:
        if self.path:
            return f"{self.scheme}+unix://{self.path}"
        return f"{self.scheme}://{format_ip_port(self.host, self.port)}"


def without_tls(scheme: str) -> str:
    """The protocol of a scheme, with TLS or without: `wss` -> `ws`, `text+tls` -> `text`."""
    return _WITHOUT_TLS.get(scheme, scheme)


def format_ip_port(ip: str, port: int) -> str:
    """`127.0.0.1:80`, `[::1]:80`: the brackets separate the port (RFC 3986, section 3.2.2).

    `unix`, which has no port, stays as it is.
    """
    if ip == "unix":
        return ip
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def parse(text: str) -> Address:
    """Reads a listening address.

    Args:
        text: `scheme://host:port`; the port may be left out for websockets and HTTP (80 for ws
            and http, 443 for wss and https). Or `ws+unix:///run/app.sock`.

    Returns:
        The address; `str()` of it is a URL with the port.

    Raises:
        ConfigError: the scheme is unknown or not served, the host is missing or malformed, the
            port is out of range, or there is a path; the message shows the right form.
    """
    if not isinstance(text, str):
        raise ConfigError(f"the address {text!r} is not a string", _EXAMPLE)
    name, separator, rest = text.partition("://")
    if not separator:
        if instead := with_slashes(text, (*_SCHEMES, *_UNIX_SCHEMES)):
            raise ConfigError(f"the address {text!r} lacks // behind the colon", f"write {instead}")
        raise ConfigError(f"the address {text!r} has no scheme", _EXAMPLE)
    if name.lower() in _UNIX_SCHEMES:
        return Address(_UNIX_SCHEMES[name.lower()], "", 0, _path(text, name, rest))
    scheme = _scheme(text, name)
    authority, tail = _split_authority(rest)
    if not authority or (authority.startswith(":") and authority.count(":") == 1):
        raise ConfigError(
            f"the address {text!r} has no host",
            f"write {name}://0.0.0.0{authority} to listen on every IPv4 address,"
            f" or {name}://127.0.0.1{authority} for this machine only",
        )
    if tail:
        has_paths = scheme in _DEFAULT_PORTS
        why = ": a worker answers every path" if has_paths else ""
        where = "on_request" if without_tls(scheme) == "http" else "on_websocket_connect"
        more = f" and look at request.path in {where}" if has_paths else ""
        raise ConfigError(
            f"{tail!r} in {text!r} is not part of the listening address{why}",
            f"write {name}://{authority}{more}",
        )
    host, port = _split_port(text, name, authority)
    if port is None:
        port = _DEFAULT_PORTS.get(scheme)
    if port is None:
        raise ConfigError(
            f"the address {text!r} has no port", f"write it like {name}://{authority}:8282"
        )
    return Address(scheme, host, port)


def with_slashes(text: str, schemes: Collection[str]) -> str:
    """`ws:/host:80` with both slashes; empty if it begins with none of the schemes."""
    name, colon, rest = text.partition(":")
    if not colon or name.lower() not in schemes:
        return ""
    slashes = "///" if name.lower().endswith("+unix") else "//"
    return f"{name}:{slashes}{rest.lstrip('/')}"


def _path(text: str, name: str, path: str) -> str:
    example = f"write it like {name}:///run/app.sock"
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ConfigError(f"the address {text!r} has no absolute path of a socket", example)
    size = len(path.encode("utf-8", "surrogateescape"))
    if size > MAX_PATH:
        raise ConfigError(
            f"the path in {text!r} has {size} bytes, a unix socket's may have {MAX_PATH}", example
        )
    return path


def _scheme(text: str, name: str) -> str:
    known = _SCHEMES.get(name.lower())
    if known is not None:
        return known
    served = (
        "use ws://, wss:// or websocket://, http://, https://, tcp://, text://, frame:// or udp://"
    )
    if name.lower() in ("udp+tls", "udp+unix"):
        raise ConfigError(
            f"{name}:// is not served (address {text!r}): datagrams are sent in the clear, by UDP",
            "write udp://; for TLS and unix sockets take a stream: tcp://, text:// or frame://",
        )
    if name.lower() == "unix":
        served += f"; for websockets on a unix socket write ws+{text}, for requests http+{text}"
        served += f", for bytes tcp+{text}"
    if name.lower() == "ssl":
        served = 'write tcp:// and give cert="server.pem", key="server.key"'
    if name.lower().endswith("s") and name.lower()[:-1] in STREAMS:
        served = f"for TLS write {name.lower()[:-1]}+tls://"
    if name.lower() in _LATER_SCHEMES:
        raise ConfigError(f"this version does not serve {name}:// yet (address {text!r})", served)
    raise ConfigError(f"the scheme {name!r} in {text!r} is unknown", served)


def _split_authority(rest: str) -> tuple[str, str]:
    match = re.search(r"[/?#]", rest)
    return (rest, "") if match is None else (rest[: match.start()], rest[match.start() :])


def _split_port(text: str, scheme: str, authority: str) -> tuple[str, int | None]:
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or not _is_ipv6(host):
            raise ConfigError(
                f"{authority!r} in {text!r} is not an IPv6 address in brackets",
                f"write it like {scheme}://[::1]:8282",
            )
    elif authority.count(":") > 1:
        raise ConfigError(
            f"the IPv6 address in {text!r} has no brackets",
            f"write it like {scheme}://[::1]:8282",
        )
    else:
        host, colon, port = authority.partition(":")
        rest = colon + port
        _check_host(text, scheme, host)
    if not rest:
        return host, None
    digits = rest[1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535):
        raise ConfigError(
            f"the port {digits!r} in {text!r} is not a number from 0 to 65535",
            f"write it like {scheme}://{authority[: -len(rest)]}:8282",
        )
    return host, int(digits)


def _check_host(text: str, scheme: str, host: str) -> None:
    if host == "*":
        raise ConfigError(
            f"the host '*' in {text!r} is not an address",
            f"write {scheme}://0.0.0.0 for every IPv4 address or {scheme}://[::] for IPv6",
        )
    # Digits and dots mean an IPv4 address. Taken as a host name, 256.1.1.1 would fail in the
    # resolver, far from the wrong line.
    is_numeric = re.fullmatch(r"[0-9.]+", host) is not None
    if (is_numeric and not _is_ipv4(host)) or _HOST_NAME.fullmatch(host) is None:
        raise ConfigError(
            f"the host {host!r} in {text!r} is neither an IP address nor a host name", _EXAMPLE
        )


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
