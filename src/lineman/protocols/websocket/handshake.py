"""The opening handshake: who may upgrade, and the lines both sides send.

Source: RFC 6455, section 4; who is let in from a web page: section 10.2 and `OriginPolicy`.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha1

from lineman.errors import ConfigError, HttpError, UsageError
from lineman.protocols.http import Request, encode_headers, has_token

try:
    import cython
except ImportError:
    from lineman import uncompiled as cython

KEY_SIZE = 24  # of 16 bytes in base64
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.\-]*)://(\[[0-9a-f:.]+\]|[a-z0-9\-._~%]*)(?::([0-9]{1,5}))?")
MAX_SHOWN = 300  # characters of an origin; a host has 253 at most
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_VERSION = ("Sec-WebSocket-Version", "13")
_UPGRADE_HEADERS = (("Upgrade", "websocket"), ("Connection", "Upgrade"), _VERSION)

_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: "
)
_FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_RESPONSE_RESERVED = _FRAMING | {
    "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol",
}  # fmt: skip
_REQUEST_RESERVED = _FRAMING | {
    "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-protocol",
    "sec-websocket-version",
}  # fmt: skip


def is_websocket(request: Request) -> bool:
    """Whether the request names websocket in `Upgrade`, so that `check` shall judge it."""
    return has_token(request.headers, "upgrade", "websocket")


def accept_key(key: str) -> str:
    """What the server answers to a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2, item 5.4)."""
    return _accept(key).decode("ascii")


def _accept(key: str) -> bytes:
    raw = key.encode("latin-1")
    if cython.compiled and len(raw) == KEY_SIZE:
        # OpenSSL spends more on making and finding a hash object than on these 60 bytes.
        answer = PyBytes_FromStringAndSize(cython.NULL, 28)
        room = cython.cast(p_uchar, PyBytes_AS_STRING(answer))
        guid = cython.cast(p_const_uchar, PyBytes_AS_STRING(_GUID))
        lineman_accept_key(room, cython.cast(p_const_uchar, PyBytes_AS_STRING(raw)), guid)
        return answer
    digest = sha1(raw + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)


def check(request: Request) -> str:
    """Accept a handshake, or say what is wrong with it.

    A missing `Sec-WebSocket-Version` is 400, as a handshake that does not match the description
    (section 4.2.1); another version is 426 with the one that is spoken (section 4.2.2, item 4).

    Returns:
        The `Sec-WebSocket-Key`, for `response`.

    Raises:
        HttpError: 405, 426 or 400; send it with `error_response` and close.
    """
    headers = request.headers
    if request.method != "GET":
        raise HttpError(405, "a websocket handshake is a GET", (("Allow", "GET"),))
    if request.version != "1.1" and is_websocket(request):
        raise HttpError(
            400,
            f"a websocket handshake needs HTTP/1.1, this is HTTP/{request.version};"
            " if a proxy sent it, set there (nginx): proxy_http_version 1.1;",
        )
    # llhttp's judgement counts too: where it saw no upgrade, it went on reading HTTP.
    if not (
        request.upgrade
        and has_token(headers, "upgrade", "websocket")
        and has_token(headers, "connection", "upgrade")
    ):
        raise plain_request_error()
    if len(headers.get_all("host")) != 1:
        raise HttpError(400, "a websocket handshake has exactly one Host header")
    version = headers.get("sec-websocket-version")
    if version != "13":
        raise _version_error(version)
    key = headers.get("sec-websocket-key")
    if key is None or not _is_key(key):
        raise HttpError(
            400,
            "the Sec-WebSocket-Key header is missing"
            if key is None
            else "Sec-WebSocket-Key is not one value of 16 bytes in base64",
        )
    return key


def _version_error(version: str | None) -> HttpError:
    if version is None:
        text = "the Sec-WebSocket-Version header is missing; send 13"
        return HttpError(400, text, (_VERSION,))
    if [one.strip() for one in version.split(",")][1:]:
        return HttpError(400, "several values in Sec-WebSocket-Version; send 13", (_VERSION,))
    return HttpError(426, "of websocket versions only 13 is spoken here", _UPGRADE_HEADERS)


def _is_key(key: str) -> bool:
    if len(key) != 24:
        return False
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except ValueError:  # binascii.Error, or not ASCII
        return False


def plain_request_error() -> HttpError:
    """The 426 for who asks for a page where only websockets are (RFC 9110, section 15.5.22)."""
    return HttpError(
        426,
        "a websocket client is expected here; behind a proxy, forward the Upgrade and Connection"
        " headers over HTTP/1.1 (nginx: proxy_http_version 1.1; proxy_set_header Upgrade"
        ' $http_upgrade; proxy_set_header Connection "upgrade";)',
        _UPGRADE_HEADERS,
    )


def offered_subprotocols(request: Request) -> list[str]:
    """What the client offers in `Sec-WebSocket-Protocol`, in its order of preference."""
    value = request.headers.get("sec-websocket-protocol")
    if value is None:
        return []
    return [name for name in (part.strip(" \t") for part in value.split(",")) if name]


def choose_subprotocol(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """The first of `supported` that is offered; None goes on without one (section 4.2.2)."""
    for name in supported:
        if name in offered:
            return name
    return None


def response(
    key: str,
    subprotocol: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
    extensions: str | None = None,
) -> bytes:
    """The 101 that opens the websocket.

    Args:
        key: from `check`.
        subprotocol: one that the client offered, or None.
        headers: further headers.
        extensions: the value of `Sec-WebSocket-Extensions`, or None.

    Raises:
        UsageError: a header or the subprotocol would break the response.
    """
    if subprotocol is None and extensions is None and not headers:
        return _SWITCHING + _accept(key) + b"\r\n\r\n"
    head = _SWITCHING + _accept(key) + b"\r\n"
    lines = encode_headers(headers, _RESPONSE_RESERVED)
    own = _negotiated(() if subprotocol is None else (subprotocol,), extensions)
    return head + f"{own}{lines}\r\n".encode("latin-1")


def client_request(
    host: str,
    target: str,
    key: str,
    headers: Sequence[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    extensions: str | None = None,
) -> bytes:
    """The handshake that a client sends (RFC 6455, section 4.1).

    Args:
        host: the value of `Host`, with the port where it is not the default one.
        target: path and query, percent-encoded.
        key: 16 random bytes in base64.
        headers: further headers, such as `Origin` or `Cookie`.
        subprotocols: what is offered, best first.
        extensions: the value of `Sec-WebSocket-Extensions`, or None.

    Raises:
        UsageError: an argument would break the request.
    """
    for what, value in (("host", host), ("target", target), ("key", key)):
        if _VISIBLE.fullmatch(value) is None:
            raise UsageError(f"the {what} {value!r} has blanks or bytes outside of ASCII")
    negotiated = _negotiated(tuple(subprotocols), extensions)
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"{negotiated}{encode_headers(headers, _REQUEST_RESERVED)}\r\n"
    ).encode("latin-1")


@lru_cache(maxsize=64)
def _negotiated(names: tuple[str, ...], extensions: str | None) -> str:
    for name in names:
        if _TOKEN.fullmatch(name) is None:
            raise UsageError(f"{name!r} is not a subprotocol name; write letters, digits, . and -")
    pairs = [("Sec-WebSocket-Protocol", ", ".join(names))] if names else []
    if extensions is not None:
        pairs.append(("Sec-WebSocket-Extensions", extensions))
    return encode_headers(pairs, frozenset())


class OriginPolicy:
    """Which web pages may open a websocket (RFC 6455, section 10.2).

    A request without `Origin` is let in either way: it comes from no browser, and a program could
    write whatever it likes there.

    Args:
        origins: the pages that may, such as `https://chat.example.com`, `https://*.example.com`
            (below it, not itself), `null` (sandboxed pages and local files) or `*` (every one).
            None: a page of another site may, unless it brings a cookie or credentials, because
            these speak for a user who does not know of it (cross-site websocket hijacking).

    Raises:
        ConfigError: an entry can match nothing; the message holds the right spelling.
    """

    __slots__ = ("_allows_all", "_allows_null", "_below", "_exact")

    def __init__(self, origins: Sequence[str] | None = None) -> None:
        if isinstance(origins, (str, bytes)):
            raise ConfigError(
                f"origins is the single value {origins!r}", f"write a list: origins=[{origins!r}]"
            )
        self._exact: set[tuple[str, str, str]] | None = None if origins is None else set()
        self._below: list[tuple[str, str, str]] = []
        self._allows_all = self._allows_null = False
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

    def refusal(self, request: Request) -> HttpError | None:
        """None where the request may go on, else the 403 that says what to set."""
        origins = request.headers.get_all("origin")
        if not origins:
            return None
        if len(origins) > 1:
            return HttpError(403, f"{len(origins)} Origin headers; a browser sends one")
        origin = origins[0]
        parts = _split_origin(origin)
        if self._exact is None:
            return _cross_site_refusal(request, origin, parts)
        if self._allows_all or (self._allows_null and origin == "null"):
            return None
        if parts is not None:
            if parts in self._exact:
                return None
            scheme, host, port = parts
            for allowed, suffix, allowed_port in self._below:
                if scheme == allowed and port == allowed_port and host.endswith(suffix):
                    return None
        shown = _shown(origin, parts)
        return HttpError(
            403, f'the page {shown} is not among the origins; to let it in, add "{shown}" to them'
        )


def _cross_site_refusal(
    request: Request, origin: str, parts: tuple[str, str, str] | None
) -> HttpError | None:
    # Ports are left out of it: a site has none, and a cookie goes to every port of its host.
    here = _split_origin(f"http://{request.host}")
    if parts is not None and here is not None and parts[1] == here[1]:
        return None
    headers = request.headers
    if "cookie" not in headers and "authorization" not in headers:
        return None
    shown = _shown(origin, parts)
    host = "this host" if here is None else here[1]
    return HttpError(
        403,
        f"a page of another site ({shown}) brings a cookie or credentials to {host}; if it may, set"
        f' origins=["{shown}"]; if a proxy stands between, have it forward Host'
        " (nginx: proxy_set_header Host $http_host;)",
    )


def _split_origin(origin: str) -> tuple[str, str, str] | None:
    """Scheme, host and port, spelled one way; the port is empty where it is the default one."""
    # The pages of a service are few, and read once. What a stranger makes us keep stays small.
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
    """The origin as it may stand in an error: what a stranger sent is quoted only if it is one."""
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
