"""Opens a connection to a server: name, TCP, TLS and handshake, all before one deadline."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from lineman.client.client_options import ClientPlan
from lineman.client.opening_failures import failure
from lineman.errors import ConnectionLost
from lineman.net.stream import tlsstream
from lineman.net.stream.tlsstream import TlsStream
from lineman.protocols.interface import Session
from lineman.protocols.websocket.client.client_handshake import ClientHandshake
from lineman.protocols.websocket.close import ABNORMAL
from lineman.protocols.websocket.masks import Masks

CHUNK = 64 * 1024
# The longest time that one address of a name may take while others are left.
SHARE = 3.0


@dataclass(frozen=True, slots=True)
class OpenedLine:
    """A connection whose handshakes are done.

    Attributes:
        fd: its descriptor, which the caller owns.
        peer: address and port of the server.
        tls: of the socket; None without TLS.
        session: of the protocol that both speak now.
        rest: what the server has sent already.
        subprotocol: the one that was agreed on; None for none.
    """

    fd: int
    peer: tuple[str, int]
    tls: TlsStream | None
    session: Session
    rest: bytes
    subprotocol: str | None = None


async def open_connection(plan: ClientPlan) -> OpenedLine:
    """Connects.

    Raises:
        ConnectError: the server cannot be reached, or does not open the connection.
    """
    deadline = asyncio.get_running_loop().time() + plan.timeout
    try:
        async with asyncio.timeout_at(deadline):
            sock = await _reach(plan)
    except (OSError, TimeoutError) as error:
        raise failure(error, plan) from None
    try:
        async with asyncio.timeout_at(deadline):
            return await _shake_hands(plan, _Wire(sock))
    except BaseException as error:
        sock.close()
        if isinstance(error, Exception):
            raise failure(error, plan) from None
        raise


async def _reach(plan: ClientPlan) -> socket.socket:
    """A connected socket: of the first address of the host that answers."""
    loop = asyncio.get_running_loop()
    target = plan.target
    path = getattr(getattr(target, "address", None), "path", "")
    if path:
        return await _connect(socket.AF_UNIX, path)
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    last: OSError = OSError("the name has no address")
    for number, (family, _, _, _, address) in enumerate(found, 1):
        try:
            if number == len(found):
                return await _connect(family, address)
            async with asyncio.timeout(SHARE):
                return await _connect(family, address)
        except TimeoutError as error:
            last = error
        except OSError as error:
            last = error
    raise last


async def _connect(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


class _Wire:
    """A connected socket before its connection has begun: reads and writes, with TLS or without."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.tls: TlsStream | None = None
        self._loop = asyncio.get_running_loop()

    async def begin_tls(self, context: ssl.SSLContext, host: str) -> None:
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
        if self.tls is None:
            return await self._loop.sock_recv(self.sock, CHUNK)
        buffer = bytearray(CHUNK)
        with memoryview(buffer) as view:
            while (count := self.tls.read(view)) == tlsstream.AGAIN:
                await self._ready(is_write=False)
            return bytes(view[:count])

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


async def _shake_hands(plan: ClientPlan, wire: _Wire) -> OpenedLine:
    if plan.tls is not None:
        await wire.begin_tls(plan.tls, plan.target.server_name)
    try:
        session, rest, subprotocol = await _speak(plan, wire)
    except BaseException:
        if wire.tls is not None:
            wire.tls.release()
        raise
    name = wire.sock.getpeername()
    peer = (name[0], name[1]) if isinstance(name, tuple) else (str(name), 0)
    return OpenedLine(wire.sock.detach(), peer, wire.tls, session, rest, subprotocol)


async def _speak(plan: ClientPlan, wire: _Wire) -> tuple[Session, bytes, str | None]:
    """The session; for a websocket after its handshake."""
    if plan.factory is not None:
        return plan.factory(plan.limits), b"", None
    assert plan.opening is not None
    handshake = ClientHandshake(plan.opening, Masks().take, plan.limits)
    await wire.send(handshake.request)
    while True:
        data = await wire.receive()
        if not data:
            handshake.feed_end()  # raises where a refusal ends with the connection
            raise ConnectionLost(ABNORMAL, "the server closed the connection in the handshake")
        upgrade = handshake.feed(data)
        if upgrade is not None:
            return upgrade.session, upgrade.rest, handshake.subprotocol
