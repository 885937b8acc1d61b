"""A connected socket before its connection has begun: reads and writes, with TLS or without."""

from __future__ import annotations

import asyncio
import socket
import ssl

from lineman.net.stream import tlsstream
from lineman.net.stream.tlsstream import TlsStream

CHUNK = 64 * 1024


class OpeningWire:
    """Reads and writes in handshakes.

    Args:
        sock: connected; the caller closes it.

    Attributes:
        tls: of the socket; None without TLS.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tls: TlsStream | None = None
        self._loop = asyncio.get_running_loop()

    async def begin_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Does the handshake of TLS.

        Args:
            context: how to speak TLS.
            host: the name that the server's certificate must have.
        """
        tls = TlsStream(context, self.sock.fileno(), None, host)
        tls.server_name = host
        try:
            while not tls.handshake():
                await self._ready(tls.wants_write)
        except BaseException:
            tls.release()
            raise
        self.tls = tls

    async def send(self, data: bytes) -> None:
        """Sends all."""
        if self.tls is None:
            await self._loop.sock_sendall(self.sock, data)
            return
        while data:
            count = self.tls.write(data)
            if count == tlsstream.AGAIN:
                await self._ready(is_write=True)
            else:
                data = data[count:]

    async def receive(self) -> bytes:
        """What comes next; empty at the end."""
        if self.tls is None:
            return await self._loop.sock_recv(self.sock, CHUNK)
        buffer = bytearray(CHUNK)
        with memoryview(buffer) as view:
            while (count := self.tls.read(view)) == tlsstream.AGAIN:
                await self._ready(is_write=False)
            return bytes(view[:count])

    async def receive_until(self, end: bytes, before: bytes) -> bytes:
        """What comes next without TLS, up to an end and no byte further; empty at the stream's.

        Args:
            end: where to stop.
            before: what has come already.
        """
        while True:
            try:
                data = self.sock.recv(CHUNK, socket.MSG_PEEK)
            except BlockingIOError:
                await self._ready(is_write=False)
                continue
            place = (before + data).find(end)
            count = len(data) if place < 0 else place + len(end) - len(before)
            return self.sock.recv(count) if data else b""

    async def _ready(self, is_write: bool) -> None:
        """Returns once the socket can be written, or read."""
        ready: asyncio.Future[None] = self._loop.create_future()
        add = self._loop.add_writer if is_write else self._loop.add_reader
        remove = self._loop.remove_writer if is_write else self._loop.remove_reader
        add(self.sock, _settle, ready)
        try:
            await ready
        finally:
            remove(self.sock)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
