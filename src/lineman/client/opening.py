"""Opens a connection to a server: name, TCP, proxy, TLS and handshake, all before one deadline."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from lineman.client.client_options import ClientPlan
from lineman.client.opening_failures import failure, not_reached
from lineman.client.opening_wire import OpeningWire
from lineman.client.proxying import open_way
from lineman.client.reaching import connected, reach
from lineman.errors import ConnectionLost
from lineman.net.stream.tlsstream import TlsStream
from lineman.protocols.interface import Session
from lineman.protocols.websocket.client.client_handshake import ClientHandshake
from lineman.protocols.websocket.close import ABNORMAL
from lineman.protocols.websocket.masks import Masks


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
        sock = await _reach(plan, deadline)
    except OSError as error:
        raise not_reached(error, plan) from None
    target = plan.target
    try:
        if plan.proxy is not None:
            await open_way(sock, plan.proxy, target.host, target.port, deadline)
        async with asyncio.timeout_at(deadline):
            return await _shake_hands(plan, OpeningWire(sock))
    except BaseException as error:
        sock.close()
        if isinstance(error, Exception):
            raise failure(error, plan) from None
        raise


async def _reach(plan: ClientPlan, deadline: float) -> socket.socket:
    """A socket that is connected to the server, or to its proxy."""
    if plan.target.unix_path:
        async with asyncio.timeout_at(deadline):
            return await connected(socket.AF_UNIX, plan.target.unix_path)
    place = plan.proxy or plan.target
    return await reach(place.host, place.port, deadline)


async def _shake_hands(plan: ClientPlan, wire: OpeningWire) -> OpenedLine:
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


async def _speak(plan: ClientPlan, wire: OpeningWire) -> tuple[Session, bytes, str | None]:
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
