"""An independent websocket client: it shares no code with the tested service, and never blocks."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import zlib
from dataclasses import dataclass, field

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CHUNK = 1 << 18


@dataclass
class Stream:
    """What a server has sent so far, frame by frame.

    Attributes:
        messages: payloads in the order of the line.
        status: of its answer to the handshake; 0 before.
        close: the code of its close frame; None before.
        pongs: payloads of its pongs.
    """

    has_head: bool = False
    status: int = 0
    rest: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: int | None = None
    inflate: zlib._Decompress | None = None

    def feed(self, data: bytes) -> None:
        """Takes bytes, cut anywhere.

        Raises:
            AssertionError: they are no stream of whole frames.
        """
        if self.status not in (0, 101):
            return
        self.rest += data
        if not self.has_head:
            head, found, after = self.rest.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 "), head
            self.status = int(head[9:12])
            if self.status != 101:
                return
            if b"permessage-deflate" in head:
                self.inflate = zlib.decompressobj(-15)
            self.has_head, self.rest = True, after
        while self._frame():
            pass

    def _frame(self) -> bool:
        rest = self.rest
        if len(rest) < 2:
            return False
        assert self.close is None, f"behind the close frame came {rest[:20]!r}"
        assert rest[0] & 0xB0 == 0x80, f"no frame of this server: {rest[:20]!r}"
        size, start = rest[1], 2
        assert size < 128, f"a masked frame: {rest[:20]!r}"
        if size > 125:
            start = 4 if size == 126 else 10
            if len(rest) < start:
                return False
            size = int.from_bytes(rest[2:start], "big")
            assert size > 125 if start == 4 else size > 65535, "not the shortest length"
        if len(rest) < start + size:
            return False
        self._take(rest[0] & 0x0F, bool(rest[0] & 0x40), rest[start : start + size])
        self.rest = rest[start + size :]
        return True

    def _take(self, opcode: int, is_compressed: bool, payload: bytes) -> None:
        if opcode in (TEXT, BINARY):
            if is_compressed:
                assert self.inflate is not None
                payload = self.inflate.decompress(payload + b"\0\0\xff\xff")
            self.messages.append(payload)
            return
        assert not is_compressed
        assert len(payload) < 126
        if opcode == CLOSE:
            self.close = int.from_bytes(payload[:2], "big") if payload else 1005
        elif opcode == PONG:
            self.pongs.append(payload)
        else:
            assert opcode == PING, f"an unknown opcode {opcode}"


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole masked frame."""
    mask = os.urandom(4)
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, 0x80 | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 0xFF]) + size.to_bytes(8, "big")
    key = mask * (size // 4 + 1)
    return head + mask + bytes(a ^ b for a, b in zip(payload, key, strict=False))


HANDSHAKE = (
    b"GET /?%s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)


class RawClient:
    """One client, which does only what it is told; no call waits.

    Args:
        path: of the server's unix socket.
        name: what it calls itself in its handshake.
        tls: how to speak TLS; None for a plain connection.
        offers_deflate: whether it offers compression.

    Attributes:
        stream: what has come.
        is_at_end: whether the server has ended the stream.
    """

    def __init__(
        self, path: str, name: int, tls: ssl.SSLContext | None, offers_deflate: bool
    ) -> None:
        self.stream = Stream()
        self.is_at_end = False
        self.is_closed = False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.setblocking(False)
        self._socket.connect(path)
        self._out = b""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = None
        if tls is not None:
            self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if offers_deflate else b""
        self.send(HANDSHAKE % (b"%d" % name, offer))

    def send(self, data: bytes) -> None:
        """Sends bytes, now or when there is room."""
        if not self.is_closed:
            self._out += data
            self.work(0)

    def work(self, size: int = CHUNK) -> bool:
        """Sends and reads as much as possible.

        Args:
            size: bytes to read at most; 0 reads only what TLS needs for its handshake.

        Returns:
            Whether anything has come.
        """
        if self.is_closed:
            return False
        is_shaking = self._tls is not None and self._tls.version() is None
        data = b""
        if (size or is_shaking) and not self.is_at_end:
            try:
                data = self._socket.recv(size or CHUNK)
                self.is_at_end = not data
            except BlockingIOError:
                pass
            except ConnectionResetError:
                self.is_at_end = True
        if self._tls is None:
            self.stream.feed(data)
        else:
            self._decrypt(self._tls, data)
        self._push()
        return bool(data)

    def _decrypt(self, tls: ssl.SSLObject, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if tls.version() is None:
                tls.do_handshake()
            while clear := tls.read(CHUNK):
                self.stream.feed(clear)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.is_at_end = True

    def _push(self) -> None:
        if self._tls is None:
            self._outgoing.write(self._out)
            self._out = b""
        elif self._out and self._tls.version() is not None and not self.is_at_end:
            self._tls.write(self._out)
            self._out = b""
        waiting = self._outgoing.read()
        try:
            count = self._socket.send(waiting) if waiting else 0
        except BlockingIOError:
            count = 0
        except OSError:
            return
        self._outgoing.write(waiting[count:])

    def end_writing(self) -> None:
        """Ends its side without a close frame."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes the socket at once, as if the process were killed."""
        self.is_closed = True
        self._socket.close()
