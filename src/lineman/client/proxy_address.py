"""What `proxy=` says, pure: `http://user:password@host:3128` -> `ProxyAddress`."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

from lineman.base import address
from lineman.errors import ConfigError, UsageError

_SCHEMES = {"http": "http", "socks5": "socks5", "socks5h": "socks5"}
_EXAMPLE = "write it like http://proxy.example:3128 or socks5://user:password@proxy.example:1080"
# Bytes of a user, a password and a name in SOCKS5, which have a length of one byte (RFC 1929).
SOCKS_MOST = 255


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """A proxy; its text and its `repr` never show the password.

    Attributes:
        scheme: `http` or `socks5`.
        host: a name or an IP address, IPv6 without brackets.
        port: 1 to 65535.
        user, password: for the proxy; empty for none.
    """

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{address.format_ip_port(self.host, self.port)}"


def parse(text: object) -> ProxyAddress:
    """Reads a proxy's address.

    Raises:
        UsageError: it is none. The words never quote what may be a password.
    """
    if not isinstance(text, str):
        raise UsageError(f"proxy is a {type(text).__name__}; {_EXAMPLE}; None is for no proxy")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise UsageError(f"proxy has no scheme; {_EXAMPLE}; None is for no proxy")
    known = _SCHEMES.get(scheme.lower())
    if scheme.lower() == "https":
        raise UsageError(
            "proxy is https://, TLS to the proxy itself, which is not known here; write http://: "
            "what goes through it to a server with TLS is encrypted all the same"
        )
    if known is None:
        raise UsageError(f"proxy has the scheme {scheme!r:.40}; {_EXAMPLE}")
    userinfo, at, place = rest.rpartition("@")
    try:
        found = address.parse(f"tcp://{place.removesuffix('/')}")
    except ConfigError:
        found = None
    if found is None or not found.port:
        raise UsageError(
            f"proxy {known}://… has no good host and port behind the scheme, the user and the "
            f"password; {_EXAMPLE}; in a password write @ as %40"
        )
    user, _, password = userinfo.partition(":")
    user, password = unquote(user), unquote(password)
    if at:
        _check(known, user, password)
    return ProxyAddress(known, found.host, found.port, user, password)


def _check(scheme: str, user: str, password: str) -> None:
    if not user:
        raise UsageError("proxy has a password or an @, and no user; " + _EXAMPLE)
    try:
        (user + password).encode()
    except UnicodeEncodeError:
        raise UsageError(
            "proxy has a user or a password with bytes that are no UTF-8; write them as %E9"
        ) from None
    if scheme == "http":
        if ":" in user:
            raise UsageError("proxy has a user with a colon, which HTTP proxies cannot take")
        return
    for name, value in (("user", user), ("password", password)):
        if not (value.isascii() and 0 < len(value) <= SOCKS_MOST):
            raise UsageError(
                f"the {name} of the SOCKS5 proxy is empty, has more than {SOCKS_MOST} characters, "
                "or others than ASCII; give both, or neither"
            )
