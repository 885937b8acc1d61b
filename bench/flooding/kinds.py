"""The kinds of floods: bytes that a client may send, and that cost the server more than them."""

from __future__ import annotations

import ctypes
import ssl
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from lineman.protocols.websocket import frames
from lineman.testing.client import encode, encode_frame
from lineman.tls.openssl import access as openssl

REQUEST = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of flood.

    Attributes:
        title: its name in the table.
        data: what one client sends, again and again.
        is_open: whether a websocket is opened first.
        is_brief: whether the connection is closed after `data`, and a new one opened.
        updates: TLS KeyUpdate messages before `data`.
    """

    title: str
    data: bytes
    is_open: bool = True
    is_brief: bool = False
    updates: int = 0


def _bomb() -> bytes:
    """10 MiB of zeros in 10 kB."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = stream.compress(bytes(10 * 1024 * 1024)) + stream.flush(zlib.Z_SYNC_FLUSH)
    return encode_frame(frames.BINARY, packed[:-4], reserved=0x40)


def _fragments(piece: bytes) -> bytes:
    more = encode_frame(frames.CONTINUATION, piece, fin=False) * 1000
    return encode_frame(frames.BINARY, fin=False) + more + encode_frame(frames.CONTINUATION)


KINDS = (
    Kind("compressed bombs, 10 kB → 10 MiB", _bomb() * 4),
    Kind("empty messages", encode(b"") * 10_000),
    Kind("messages of one byte", encode(b"x") * 10_000),
    Kind("pings", encode_frame(frames.PING, b"x") * 10_000),
    Kind("fragments of one byte", _fragments(b"x") * 10),
    Kind("empty fragments", _fragments(b"") * 10),
    Kind("pipelined requests", REQUEST * 16, is_open=False),
    Kind("handshakes", HANDSHAKE, is_open=False, is_brief=True),
)
UPDATES = Kind("TLS key updates", REQUEST, is_open=False, is_brief=True, updates=2_000)


def updater(connection: ssl.SSLObject) -> Callable[[], None]:
    """A function that adds a KeyUpdate to a connection's output; Python has no call for it."""
    library = openssl.library()
    if library is None:
        raise SystemExit("bench: this Python's OpenSSL is out of reach: no key updates can be sent")
    pointer = ctypes.c_void_p(openssl.connection_pointer(connection._sslobj))  # type: ignore[attr-defined]

    def update() -> None:
        if library.SSL_key_update(pointer, 0) != 1 or library.SSL_do_handshake(pointer) != 1:
            raise RuntimeError("OpenSSL makes no KeyUpdate; is this TLS 1.3?")

    return update
