"""Listening sockets, and why one cannot be had."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

from lineman.base.address import Address
from lineman.errors import AddressInUseError, ConfigError
from lineman.net.listening import portholder, unixsocket

logger = logging.getLogger("lineman")

# As `socket.getaddrinfo` gives it.
Found: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


def bind(
    address: Address,
    backlog: int,
    *,
    reuse_port: bool = False,
    is_first: bool = True,
    socket_mode: int = 0o660,
    how_to_stop: Callable[[int], str] = "kill {}".format,
) -> socket.socket:
    """A bound, listening, non-blocking socket that its process' children may inherit.

    Args:
        address: where to listen; port 0 lets the kernel choose. A UDP socket has no connections to
            listen for: it is bound only.
        backlog: connections that may wait to be accepted.
        reuse_port: whether several sockets share the port (SO_REUSEPORT).
        is_first: whether this is the first of those; a foreign one is refused then.
        socket_mode: of a unix socket's file. It has one socket; its processes share that.
        how_to_stop: the command that ends a process which has the port.

    Raises:
        ConfigError: the port is taken, not allowed, or the host is not this machine's.
    """
    if address.path:
        return unixsocket.bind(address, backlog, socket_mode)
    found = resolve(address)
    if is_first:
        _tell_which(address.host, [str(each[4][0]) for each in found])
    kind = _kind(address)
    listener = socket.socket(found[0][0], kind)
    try:
        if reuse_port and address.port and is_first:
            # Sockets that share a port would share it with a service that runs already as well.
            with socket.socket(found[0][0], kind) as probe:
                _reuse_address(probe)
                probe.bind(found[0][4])
        _reuse_address(listener)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind is socket.SOCK_STREAM:
            # Accepted sockets inherit both.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.bind(found[0][4])
        if kind is socket.SOCK_STREAM:
            listener.listen(backlog)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _explained(address, error, how_to_stop) from None
    return listener


def resolve(address: Address) -> list[Found]:
    """Where a name is; the one to listen at comes first.

    Raises:
        ConfigError: the name is not known.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        found: list[Found] = [
            *socket.getaddrinfo(
                address.host,
                address.port,
                family if _is_ip(address.host) else 0,
                _kind(address),
            )
        ]
    except socket.gaierror as error:
        raise ConfigError(
            f"cannot listen on {address}: the name {address.host} is not known ({error.strerror})",
            "listen on 0.0.0.0, on 127.0.0.1, or on an address of this machine",
        ) from None
    # A client without a name uses 127.0.0.1 (every proxy's configuration does).
    found.sort(key=lambda each: each[0] is not socket.AF_INET)
    return found


def _reuse_address(opened: socket.socket) -> None:
    """Lets a stream's port be bound again at once; with UDP two services could share one by it."""
    if opened.type is socket.SOCK_STREAM:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _kind(address: Address) -> socket.SocketKind:
    return socket.SOCK_DGRAM if address.protocol == "udp" else socket.SOCK_STREAM


def listens_at(found: socket.socket, address: Address) -> bool:
    """Whether a socket of which nothing is known listens, and at this address."""
    try:
        kind = _kind(address)
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        if found.type is not kind or (kind is socket.SOCK_STREAM and not listens):
            return False
        where = found.getsockname()
        if address.path:
            return found.family is socket.AF_UNIX and where == address.path
        family, _, _, _, wanted = resolve(address)[0]
    except (OSError, ConfigError):
        return False
    is_port = address.port in (0, where[1])
    return found.family is family and where[0] == wanted[0] and is_port


def _tell_which(host: str, ips: list[str]) -> None:
    chosen, *others = dict.fromkeys(ips)
    if others:
        logger.info(
            "%s is %s, and %s as well, where nothing listens: for that one write its address",
            host, chosen, " and ".join(others),
        )  # fmt: skip


def _is_ip(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _explained(address: Address, error: OSError, how_to_stop: Callable[[int], str]) -> ConfigError:
    seen = f"cannot listen on {address}: {(error.strerror or str(error)).lower()}"
    if error.errno == errno.EADDRINUSE:
        transport = "udp" if address.protocol == "udp" else "tcp"
        found = portholder.find(address.port, transport=transport)
        if found is None:
            shows = "ss -lunp" if transport == "udp" else "ss -ltnp"
            holder = f"the process that `{shows} 'sport = :{address.port}'` shows"
            return AddressInUseError(seen, f"stop {holder}, or listen on another port", 0)
        return AddressInUseError(
            f"{seen} by {found.name} (process {found.pid})",
            f"stop it: {how_to_stop(found.pid)}; or listen on another port",
            found.pid,
        )
    if error.errno == errno.EACCES:
        return ConfigError(
            f"{seen}; ports below 1024 need a privilege",
            "start it as root with user=, whose processes then run as that user; or give the "
            "service AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit; or listen on a "
            "higher port behind nginx",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(
            f"{seen}; {address.host} is no address of this machine",
            "listen on 0.0.0.0 or on one that `ip address` shows",
        )
    return ConfigError(seen, "see the error, and `ip address` for this machine's addresses")


def listen_again(listener: socket.socket, backlog: int) -> None:
    """Has a socket listen where the process before has called `unlisten`."""
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        listener.listen(backlog)
