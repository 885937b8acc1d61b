"""TCP keepalive, by which dead peers are noticed where the protocol has no pings.

A listening socket hands its options down to what it accepts, so a connection costs nothing more.
The kernel sends no probes while sent bytes are not acknowledged; `Sender` asks it about these.
`TCP_USER_TIMEOUT` is of no use for that: it would also end peers that read slowly.
"""

from __future__ import annotations

import math
import socket

# Probes within the time that a peer has to answer one.
PROBES = 4
_MOST_SECONDS = 32767  # tcp(7)
_MOST_PROBES = 127


def set_up(listener: socket.socket, interval: float, timeout: float) -> None:
    """Has the connections of a listening socket send probes; a unix socket needs none.

    Args:
        listener: the socket.
        interval: seconds of silence before the first probe; 0 for no probes.
        timeout: seconds after that, within which one must be answered.
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, interval > 0)
    if interval > 0:
        idle, each, count = times(interval, timeout)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, each)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)


def times(interval: float, timeout: float) -> tuple[int, int, int]:
    """Whole seconds before the first probe, and between two; and how many are sent."""
    each = _within(math.ceil(timeout / PROBES), _MOST_SECONDS)
    return (
        _within(math.ceil(interval), _MOST_SECONDS),
        each,
        _within(math.ceil(timeout / each), _MOST_PROBES),
    )


def _within(value: int, most: int) -> int:
    return max(1, min(value, most))
