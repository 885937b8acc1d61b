"""The opening handshake: the rules for an upgrade, and the lines that both sides send.

Source: RFC 6455, section 4; which web pages are let in: `origins.py`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from functools import lru_cache

from lineman.errors import HttpError, UsageError
from lineman.protocols.http.answer_heads import encode_headers
from lineman.protocols.http.requests import Request, has_token
from lineman.protocols.websocket import acceptkey

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
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
    return acceptkey.accept_to(key.encode("latin-1"))


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
    """The 426 for a plain request where only websockets are (RFC 9110, section 15.5.22)."""
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
