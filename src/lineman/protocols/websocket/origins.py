"""Which web pages may open a websocket, and what the program is shown of their visitors.

Whether a page is of this site is told by names that a page cannot choose: `Host`, what a proxy says
that it was, or the browser's own word. Where a proxy has put its upstream's address in the place of
`Host`, nobody can tell; such a page is let in as a stranger.
Source: RFC 6455, section 10.2; docs/design/0006-origins.md says why.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from lineman.errors import ConfigError
from lineman.protocols.http.requests import Headers, Request
from lineman.protocols.proxies import forwarded

_ORIGIN = re.compile(r"([a-z][a-z0-9+.\-]*)://(\[[0-9a-f:.]+\]|[a-z0-9\-._~%]*)(?::([0-9]{1,5}))?")
MAX_SHOWN = 300  # characters of an origin; a host has 253 at most
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# Names that the public DNS does not have (RFC 6761, RFC 6762, ICANN's resolution 2024.07.29.06).
_LOCAL_ZONES = frozenset({"localhost", "local", "internal"})
_FORWARD_HOST = (
    "have the proxy forward Host (nginx: proxy_set_header Host $http_host;  "
    "Apache: ProxyPreserveHost On)"
)

_SHOWN = frozenset({
    "accept", "accept-encoding", "accept-language", "forwarded", "host", "origin", "user-agent",
    "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-real-ip",
})  # fmt: skip
_SHOWN_STARTS = ("sec-websocket-", "sec-fetch-")


class Standing(Enum):
    """How a handshake is let in."""

    OWN = "own"  # by a page of this site, one that is listed, or no page at all
    # By a page of another site, which brings no credentials; and by one of which that cannot be
    # told. Of both the program is shown only what `without_identity` leaves.
    FOREIGN = "foreign"
    STRANGER = "stranger"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a handshake.

    Attributes:
        standing: how it is let in, or not.
        words: why it is refused, for the client, or a stranger, for the log; with what to set.
    """

    standing: Standing
    words: str = ""


OWN = Verdict(Standing.OWN)
_FOREIGN = Verdict(Standing.FOREIGN)


def _nothing() -> bool:
    return False


class OriginPolicy:
    """Which web pages may open a websocket (RFC 6455, section 10.2).

    A request without `Origin` is let in either way: it comes from no browser, and a program could
    write whatever it likes there.

    Args:
        origins: the pages that may, such as `https://chat.example.com`, `https://*.example.com`
            (below it, not itself), `null` (sandboxed pages and local files) or `*` (every one).
            None: a page of another site may, unless it brings a cookie or credentials, because
            these speak for a user who does not know of it (cross-site websocket hijacking). What a
            proxy has made of them, in headers of any name, is kept from the program.
        listening: host and port of the service where it is plain; a proxy that says these as `Host`
            names its upstream and not the site. None where the service speaks TLS itself: clients
            then connect to that very name.

    Raises:
        ConfigError: an entry can match nothing; the message holds the right spelling.
    """

    __slots__ = ("_allows_all", "_allows_null", "_below", "_exact", "_listening")

    def __init__(
        self, origins: Sequence[str] | None = None, listening: tuple[str, int] | None = None
    ) -> None:
        if isinstance(origins, (str, bytes)):
            raise ConfigError(
                f"origins is the single value {origins!r}", f"write a list: origins=[{origins!r}]"
            )
        if origins is not None and not isinstance(origins, Collection):
            raise ConfigError(
                f"origins is {origins!r}", 'write a list: origins=["https://chat.example.com"]'
            )
        self._exact: set[tuple[str, str, str]] | None = None if origins is None else set()
        self._below: list[tuple[str, str, str]] = []
        self._allows_all = self._allows_null = False
        split = None if listening is None else _split_host(f"{listening[0]}:{listening[1]}")
        self._listening = None if split is None else split[1:]
        for entry in origins or ():
            self._add(entry)

    def _add(self, entry: str) -> None:
        assert self._exact is not None
        if entry == "*":
            self._allows_all = True
        elif entry == "null":
            self._allows_null = True
        else:
            scheme, host, port = _read_entry(entry)
            if host.startswith("*."):
                self._below.append((scheme, host[1:], port))
            else:
                self._exact.add((scheme, host, port))

    def judge(self, request: Request, shows_certificate: Callable[[], bool] = _nothing) -> Verdict:
        """Whether a handshake may go on, and how much of it the program may see.

        Args:
            request: the handshake.
            shows_certificate: whether the client has authenticated itself to the service; asked
                only where it matters.
        """
        origins = request.headers.get_all("origin")
        if not origins:
            return OWN
        if len(origins) > 1:
            return _refused(f"{len(origins)} Origin headers; a browser sends one")
        origin = origins[0]
        page = _split_origin(origin)
        if self._exact is not None:
            return self._judge_by_list(origin, page)
        here = _split_host(request.host)
        if page is not None and here is not None and page[1] == here[1]:
            return OWN
        return self._judge_other(request, origin, here, shows_certificate)

    def _judge_by_list(self, origin: str, page: tuple[str, str, str] | None) -> Verdict:
        assert self._exact is not None
        if self._allows_all or (self._allows_null and origin == "null"):
            return OWN
        if page is not None:
            if page in self._exact:
                return OWN
            scheme, host, port = page
            for allowed, suffix, allowed_port in self._below:
                if scheme == allowed and port == allowed_port and host.endswith(suffix):
                    return OWN
        shown = _shown(origin, page)
        return _refused(
            f'the page {shown} is not among the origins; to let it in, add "{shown}" to them'
        )

    def _judge_other(
        self,
        request: Request,
        origin: str,
        here: tuple[str, str, str] | None,
        shows_certificate: Callable[[], bool],
    ) -> Verdict:
        """Judges a page whose host is not the `Host`, where no list decides."""
        headers = request.headers
        page = _split_origin(origin)
        told = _told_hosts(headers)
        names = told if here is None else [here[1], *told]
        if page is not None and any(_is_same_site(page[1], name) for name in names):
            return OWN
        if headers.get_all("sec-fetch-site") == ["same-origin"]:
            return OWN
        shown = _shown(origin, page)
        if here is None or here[1:] == self._listening or is_no_site(here[1]):
            host = "nothing" if here is None else here[1]
            site = next((name for name in told if not is_no_site(name)), None)
        else:
            host = site = here[1]
        if site is None:
            return _judge_hidden(shown, host, shows_certificate)
        if "cookie" not in headers and "authorization" not in headers and not shows_certificate():
            return _FOREIGN
        return _refused(
            f"a page of another site ({shown}) brings a cookie or credentials to {site}; if it may,"
            f' set origins=["{shown}"]; if a proxy stands between, {_FORWARD_HOST}'
        )


def _judge_hidden(shown: str, host: str, shows_certificate: Callable[[], bool]) -> Verdict:
    why = (
        f"Host says {host}, which is no name of a site, so that nobody can tell whether the page"
        f' {shown} is one of this site; {_FORWARD_HOST}, or set origins=["{shown}"]'
    )
    if shows_certificate():
        return _refused(f"the client shows a certificate, and {why}")
    return Verdict(
        Standing.STRANGER, f"let in as a stranger, without its cookies and credentials: {why}"
    )


def _refused(words: str) -> Verdict:
    return Verdict(Standing.REFUSED, words)


def _told_hosts(headers: Headers) -> list[str]:
    """The hosts that proxies say they were asked for; what is no host is left out."""
    read = (_split_host(told) for told in forwarded.hosts(headers))
    return [found[1] for found in read if found is not None]


def _is_same_site(page: str, site: str) -> bool:
    """Whether two hosts are one, or differ by a leading `www.` of a name that has a dot."""
    if page == site:
        return True
    shorter, longer = sorted((page, site), key=len)
    # Without a dot it is a top-level domain or a machine's name: `www.app` is not `app`'s.
    return longer == f"www.{shorter}" and "." in shorter and not _is_address(shorter)


def is_no_site(host: str) -> bool:
    """Whether a host can be no site's on the internet: an address, or a name of inside only.

    Args:
        host: in lower case, an IPv6 address in brackets.
    """
    last = host.rpartition(".")[2]
    return last == host or last in _LOCAL_ZONES or _is_address(host)


def _is_address(host: str) -> bool:
    """As browsers tell an IPv4 address in any spelling (WHATWG URL, "ends in a number")."""
    last = host.rpartition(".")[2]
    return host.startswith("[") or last.isdigit() or last.startswith("0x")


def without_identity(request: Request) -> Request:
    """The handshake with only those headers that do not identify the visitor.

    No other is in it, under no name: it is made anew from those that are on a fixed list.
    """
    lines = [
        f"{name}: {value}\r\n"
        for name, value in request.headers.items()
        if name.lower() in _SHOWN or name.lower().startswith(_SHOWN_STARTS)
    ]
    # Of an absolute target the authority is left out, which may hold a password.
    query = f"?{request.query_string}" if "?" in request.target else ""
    target = request.target if request.target.startswith("/") else f"{request.raw_path}{query}"
    head = f"GET {target} HTTP/1.1\r\n{''.join(lines)}\r\n"
    made = Request.of_handshake(head.encode("latin-1"))
    made.remote_ip, made.remote_port = request.remote_ip, request.remote_port
    made.scheme = request.scheme
    return made


def _split_host(host: str) -> tuple[str, str, str] | None:
    """The value of `Host`, spelled one way; None where it is none."""
    return _split_origin(f"http://{host}")


def _split_origin(origin: str) -> tuple[str, str, str] | None:
    """Scheme, host and port, spelled one way; the port is empty where it is the default one."""
    # The pages of a service are few, and read once. The memory that clients can fill stays small.
    return _known_origin(origin) if len(origin) <= MAX_SHOWN else _read_origin(origin)


def _read_origin(origin: str) -> tuple[str, str, str] | None:
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None:
        return None
    scheme, host, port = match.groups("")
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            return None
    else:
        host = host.removesuffix(".")
    if not host and scheme != "file":  # some web views send file://
        return None
    return scheme, host, "" if port == _DEFAULT_PORTS.get(scheme) else port


_known_origin = lru_cache(maxsize=256)(_read_origin)


def _shown(origin: str, parts: tuple[str, str, str] | None) -> str:
    """The origin for an error message: text from a client is quoted only if it is an origin."""
    if origin == "null":
        return origin
    if parts is None or len(origin) > MAX_SHOWN:
        return "<not an origin>"
    scheme, host, port = parts
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def _read_entry(entry: str) -> tuple[str, str, str]:
    example = 'write it like "https://chat.example.com" or "https://*.example.com"'
    if not isinstance(entry, str):
        raise ConfigError(f"the origin {entry!r} is not a string", example)
    scheme, _, rest = entry.strip().lower().rpartition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not authority.isascii():
        try:
            authority = authority.encode("idna").decode("ascii")  # as browsers spell it
        except UnicodeError:
            raise ConfigError(f"the origin {entry!r} has no valid host", example) from None
    # `Origin` names the page, which is never a ws:// one.
    page_scheme = {"": "https", "ws": "http", "wss": "https"}.get(scheme, scheme)
    wildcard = "*." if authority.startswith("*.") else ""
    parts = _split_origin(f"{page_scheme}://{authority.removeprefix(wildcard)}")
    if parts is None or int(parts[2] or 0) > 65535:
        raise ConfigError(f"the origin {entry!r} is not scheme://host[:port]", example)
    right = f"{page_scheme}://{authority}"
    if right != entry.lower():
        raise ConfigError(
            f"the origin {entry!r} can match no page: browsers send scheme://host, with the port"
            " where it is not the default one, and nothing after it",
            f'write "{right}"',
        )
    return parts[0], wildcard + parts[1], parts[2]
