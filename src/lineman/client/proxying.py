"""Asks a proxy for the way to a server: HTTP's CONNECT, and SOCKS5 by the library python-socks.

Source: RFC 9110, section 9.3.6 (CONNECT); RFC 1928 and RFC 1929 (SOCKS5).
"""

from __future__ import annotations

import asyncio
import binascii
import re
import socket
from typing import Any

from lineman.base.address import format_ip_port
from lineman.client.opening_wire import OpeningWire
from lineman.client.proxy_address import ProxyAddress
from lineman.errors import ConfigError, ConnectError

MAX_HEAD = 64 * 1024
MAX_INTERIM = 16  # answers with a status of 1xx before the real one
QUOTED = 200
A_DAY = 86_400.0

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?")
_START = b"HTTP/1."
_END = b"\r\n\r\n"


def check_library(proxy: ProxyAddress) -> None:
    """Raises what would fail later.

    Raises:
        ConfigError: a SOCKS5 proxy needs a package that is not there.
    """
    if proxy.scheme == "socks5":
        try:
            import python_socks.async_.asyncio  # noqa: F401
        except ImportError:
            raise ConfigError(
                "a socks5:// proxy needs the package python-socks", "pip install 'lineman[proxy]'"
            ) from None


async def open_way(
    sock: socket.socket, proxy: ProxyAddress, host: str, port: int, deadline: float
) -> None:
    """Has a proxy connect to a server; afterwards the socket is one to the server.

    Args:
        sock: connected to the proxy; the caller closes it.
        proxy: which one.
        host: of the server; the proxy looks a name up.
        port: of the server.
        deadline: of the loop's clock.

    Raises:
        ConnectError: the proxy refuses, is none, ends, or has not answered until then.
    """
    way = f"the way to {host}, port {port}"
    ask = _connect_by_http if proxy.scheme == "http" else _connect_by_socks
    try:
        async with asyncio.timeout_at(deadline):
            await ask(sock, proxy, host, port)
    except TimeoutError as error:
        if error.errno is None:
            raise ConnectError(
                f"the proxy {proxy} has not opened {way} in time",
                "see whether it is a proxy, and reaches the server; or give a larger timeout",
            ) from None
        raise _ended(proxy, way) from None
    except OSError:
        raise _ended(proxy, way) from None


def _ended(proxy: ProxyAddress, way: str) -> ConnectError:
    return ConnectError(
        f"the proxy {proxy} ended the connection before it opened {way}",
        f"see its log, and whether it is one for {proxy.scheme}://",
    )


# HTTP. What follows the head of the answer is the server's, so not a byte more is read.


async def _connect_by_http(sock: socket.socket, proxy: ProxyAddress, host: str, port: int) -> None:
    wire = OpeningWire(sock)
    place = format_ip_port(host, port)
    request = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
    basic = ""
    if proxy.user:
        both = f"{proxy.user}:{proxy.password}".encode()
        basic = binascii.b2a_base64(both, newline=False).decode()
        request += f"Proxy-Authorization: Basic {basic}\r\n"
    await wire.send(f"{request}\r\n".encode())
    for _ in range(MAX_INTERIM):
        status, reason = await _answer(wire, proxy)
        if status >= 200:
            break
    if not 200 <= status < 300:
        for secret in filter(None, (basic, proxy.password)):  # a proxy may say what it was sent
            reason = reason.replace(secret, "***")
        raise _refused(proxy, status, reason, f"{host}, port {port}")


async def _answer(wire: OpeningWire, proxy: ProxyAddress) -> tuple[int, str]:
    """Status and reason of one answer."""
    head = b""
    while not head.endswith(_END):
        data = await wire.receive_until(_END, head)
        if not data:
            raise ConnectionResetError
        head += data
        if not _START.startswith(head[: len(_START)]) or len(head) > MAX_HEAD:
            raise _no_http(proxy, head)
    found = _STATUS.fullmatch(head.partition(b"\r\n")[0])
    if found is None:
        raise _no_http(proxy, head)
    return int(found[1]), (found[2] or b"").decode("utf-8", "replace")


def _no_http(proxy: ProxyAddress, head: bytes) -> ConnectError:
    fix = "see whether an HTTP proxy listens there"
    if head[:2] == b"\x15\x03":
        fix = "it speaks TLS; give the proxy's port without TLS"
    elif head[:1] in (b"\x05", b"\x00"):
        fix = "it may be a SOCKS proxy: write socks5://"
    return ConnectError(f"the proxy {proxy} answered with no HTTP: {head[:16]!r}", fix)


def _refused(proxy: ProxyAddress, status: int, reason: str, place: str) -> ConnectError:
    fix = "see the proxy's rules and its log"
    if status in (401, 407):  # tinyproxy says 401 where nothing was given
        fix = "give the right user and password: http://user:password@host:port"
    elif status >= 500:
        fix = f"see whether the proxy reaches {place}"
    return ConnectError(
        f"the proxy {proxy} refused the way to {place}: {status} {reason[:QUOTED]!r}", fix
    )


# SOCKS5.


class _Here:
    """Stands where the library expects a proxy before the proxy: gives it our socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def connect(self, **_: Any) -> socket.socket:
        return self._sock


async def _connect_by_socks(sock: socket.socket, proxy: ProxyAddress, host: str, port: int) -> None:
    from python_socks import ProxyError, ProxyType
    from python_socks.async_.asyncio import Proxy

    forward: Any = _Here(sock)
    through = Proxy(
        ProxyType.SOCKS5, proxy.host, proxy.port, proxy.user or None, proxy.password or None,
        rdns=True, forward=forward,
    )  # fmt: skip
    try:
        # The deadline is the caller's; this one only replaces the library's own of a minute.
        await through.connect(host, port, timeout=A_DAY)
    except ProxyError as error:
        raise _socks_failure(proxy, error, f"the way to {host}, port {port}") from None
    except (ValueError, IndexError) as error:
        raise _no_socks(proxy, str(error)) from None


def _socks_failure(proxy: ProxyAddress, error: Any, way: str) -> ConnectError:
    words = str(error)[:QUOTED]
    if error.error_code is not None:
        return ConnectError(
            f"the proxy {proxy} refused {way}: {words!r}",
            "see the proxy's rules, and whether it reaches the server",
        )
    if "closed" in words:
        return _ended(proxy, way)
    if words.startswith(("No acceptable", "Username and password")):
        return ConnectError(
            f"the proxy {proxy} refused the user: {words!r}",
            "give the right user and password: socks5://user:password@host:port",
        )
    return _no_socks(proxy, words)


def _no_socks(proxy: ProxyAddress, words: str) -> ConnectError:
    return ConnectError(
        f"the proxy {proxy} answered with no SOCKS5: {words[:QUOTED]!r}",
        "see whether it is a SOCKS5 proxy; one that answers in HTTP is http://",
    )
