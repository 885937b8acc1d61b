"""Datagrams of the program's own accord, to any address."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from lineman.errors import UsageError
from lineman.net.datagrams.datagram_output import DatagramOutput
from lineman.protocols.websocket.session import to_frame

_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96
_MOST_SCOPE = 2**32 - 1


def send_to(outputs: Iterable[DatagramOutput], address: tuple[str, int], data: Any) -> bool:
    """Sends a datagram, as `Worker.send_to`.

    Args:
        outputs: the sockets of a worker; one of the address' family is taken.
        address: as of a peer: an IP address and a port.
        data: `bytes`, or `str` as UTF-8.

    Raises:
        UsageError: the worker has no such socket, or the address is none.
    """
    payload = data if type(data) is bytes else to_frame(data)[1]
    ip, port = _checked(address)
    family, packed, scope = _resolved(ip, address)
    found = list(outputs)
    for output in found:
        if output.family == family:
            return output.send_at(packed, port, scope, payload)
    for output in found:
        if output.family == socket.AF_INET6 and family == socket.AF_INET:
            return output.send_at(_MAPPED + packed, port, 0, payload)
    if found:
        raise UsageError(f"{ip} is an IPv6 address; listen at one as well: udp://[::]:9000")
    raise UsageError(
        "send_to sends from the udp:// address of the worker, and it listens on none (yet: "
        "on_worker_start comes before)"
    )


def _checked(address: object) -> tuple[str, int]:
    if isinstance(address, (tuple, list)) and len(address) == 2:
        ip, port = address
        is_port = isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536
        if isinstance(ip, str) and is_port:
            return ip, port
    raise UsageError(
        f"{address!r} is no address; give an IP address and a port from 1 to 65535: "
        'send_to(("192.0.2.1", 9000), data)'
    )


def _resolved(ip: str, address: object) -> tuple[int, bytes, int]:
    """Family, bytes and scope of an IP address; `fe80::1%eth0` has a scope."""
    bare, percent, interface = ip.partition("%")
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            packed = socket.inet_pton(family, bare)
            scope = _scope(interface) if percent else 0
        except (OSError, ValueError):
            continue
        return int(family), packed, scope
    raise UsageError(
        f"{address!r}: {ip!r} is no IP address; look a name up first: "
        "await loop.getaddrinfo(name, port)"
    )


def _scope(interface: str) -> int:
    """The number of an interface, which is written as its name or its number.

    Raises:
        ValueError, OSError: there is none.
    """
    if not interface.isdigit():
        return socket.if_nametoindex(interface)
    scope = int(interface)
    if scope > _MOST_SCOPE:
        raise ValueError
    return scope
