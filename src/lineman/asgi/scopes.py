"""The scope: what an application learns about a request or a websocket; pure.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html, version 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lineman.protocols.http.http_messages import Request

Scope = dict[str, Any]

VERSION = "3.0"
SPEC_VERSION = "2.5"
_LIFESPAN_VERSION = "2.0"
_SECURE = {"http": "ws", "https": "wss"}
# What most handshakes say alike. A websocket keeps its scope as long as it is open, so that one
# object each for all of them is worth a look-up.
_ALIKE = {
    each: each
    for each in (
        b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"connection",
        b"cookie", b"host", b"origin", b"pragma", b"sec-fetch-dest", b"sec-fetch-mode",
        b"sec-fetch-site", b"sec-websocket-extensions", b"sec-websocket-key",
        b"sec-websocket-protocol", b"sec-websocket-version", b"upgrade", b"user-agent",
        b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto",
        b"x-real-ip",
        b"*/*", b"13", b"Upgrade", b"gzip, deflate, br", b"gzip, deflate, br, zstd", b"http",
        b"https", b"keep-alive, Upgrade", b"no-cache", b"permessage-deflate",
        b"permessage-deflate; client_max_window_bits", b"websocket",
    )
}  # fmt: skip


def http_scope(
    request: Request, server: tuple[str, int | None] | None, root_path: str, state: Any, tls: Any
) -> Scope:
    """The scope of a request.

    Args:
        request: it, with the client's address and scheme.
        server: where it has come in; None where that is not known.
        root_path: where the application is mounted, in front of every path.
        state: what its lifespan has put down, which is copied; None without it.
        tls: what the extension `tls` says; None where the connection has none.
    """
    scope = _common("http", request, server, root_path, state)
    scope["headers"] = request.headers.encode()
    scope["method"] = request.method
    scope["scheme"] = request.scheme
    extensions = scope["extensions"] = {
        "http.response.trailers": {},
        "http.response.pathsend": {},
    }
    if tls is not None:
        extensions["tls"] = tls
    return scope


def websocket_scope(
    request: Request,
    server: tuple[str, int | None] | None,
    root_path: str,
    state: Any,
    tls: Any,
    subprotocols: list[str],
) -> Scope:
    """The scope of a websocket; see `http_scope`.

    Args:
        request: the handshake.
        server, root_path, state, tls: as for `http_scope`.
        subprotocols: what the client offers.
    """
    scope = _common("websocket", request, server, root_path, state)
    find = _ALIKE.get
    scope["headers"] = [
        (find(name, name), find(value, value)) for name, value in request.headers.encode()
    ]
    scope["scheme"] = _SECURE.get(request.scheme, "ws")
    scope["subprotocols"] = subprotocols
    extensions = scope["extensions"] = {"websocket.http.response": {}}
    if tls is not None:
        extensions["tls"] = tls
    return scope


def lifespan_scope(state: dict[str, Any]) -> Scope:
    """The scope of the lifespan.

    Args:
        state: where the application may put things down for later requests.
    """
    return {
        "type": "lifespan",
        "asgi": {"version": VERSION, "spec_version": _LIFESPAN_VERSION},
        "state": state,
    }


def _common(
    kind: str,
    request: Request,
    server: tuple[str, int | None] | None,
    root_path: str,
    state: Mapping[str, Any] | None,
) -> Scope:
    _, raw_path, query = request._parts()
    path = unquote(raw_path) if "%" in raw_path else raw_path
    scope: Scope = {
        "type": kind,
        "asgi": {"version": VERSION, "spec_version": SPEC_VERSION},
        "http_version": request.version,
        "path": root_path + path,
        "raw_path": (root_path + raw_path).encode("utf-8"),
        "query_string": query.encode("latin-1"),
        "root_path": root_path,
        "client": (request.remote_ip, request.remote_port) if request.remote_ip else None,
        "server": server,
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope
