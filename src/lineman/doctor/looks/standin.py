"""Takes the service's place behind its proxy for one request, to see what the proxy forwards."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

from lineman.doctor.facts import Seen
from lineman.protocols.websocket.checkup import CLAIMED
from lineman.protocols.websocket.handshake import accept_key

SPOOFED = (
    ("X-Real-IP", CLAIMED),
    ("X-Forwarded-For", CLAIMED),
    ("Forwarded", f"for={CLAIMED}"),
)
"""The headers of a client that claims a false address."""

_MAX_HEAD = 64 * 1024
_TLS_HANDSHAKE = 0x16  # RFC 8446, section 5.1


class StandIn:
    """Listens while the `with` block lasts, and answers one request.

    Args:
        host, port: where the service would listen.
        timeout: seconds to wait for a request.

    Attributes:
        seen: the request; read it after the block.
    """

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.seen = Seen()
        self._where = (host, port)
        self._timeout = timeout
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        try:
            self._listener = socket.create_server(self._where)
        except OSError as error:
            host, port = self._where
            self.seen = Seen(
                fault=f"cannot take the service's place on {host}, port {port}: {error.strerror}"
            )
            return self
        self._listener.settimeout(self._timeout)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._listener is None:
            return
        with contextlib.suppress(OSError):
            # The proxy has answered, so no further connection will come. This wakes `accept`.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(self._timeout)
        self._listener.close()

    def _serve(self) -> None:
        assert self._listener is not None
        try:
            link, _ = self._listener.accept()
        except OSError:
            return
        with link:
            try:
                head = self._read(link)
                self.seen = _read_head(head)
                link.sendall(_answer(self.seen))
            except OSError:
                return

    def _read(self, link: socket.socket) -> bytes:
        head = b""
        deadline = time.monotonic() + self._timeout
        while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD:
            if head[:1] == bytes((_TLS_HANDSHAKE,)):
                break
            link.settimeout(max(0.001, deadline - time.monotonic()))
            data = link.recv(_MAX_HEAD)
            if not data:
                break
            head += data
        return head


def _read_head(head: bytes) -> Seen:
    if head[:1] == bytes((_TLS_HANDSHAKE,)):
        return Seen(is_reached=True, is_tls=True)
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    spoofed = tuple(
        name
        for name, _ in SPOOFED
        # The proxy's value is the last one; a client's value may stand before it.
        if any(key == name.lower() and CLAIMED in value.split(",")[-1] for key, value in headers)
    )
    version = first.rpartition(" ")[2]
    return Seen(is_reached=True, headers=headers, version=version, spoofed=spoofed)


def _answer(seen: Seen) -> bytes:
    key = seen.header("sec-websocket-key")
    if seen.header("upgrade").lower() != "websocket" or not key:
        return b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n"
    ).encode("ascii")
