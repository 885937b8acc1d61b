"""What becomes of an accepted descriptor: a connection, one that will be refused, or nothing."""

from __future__ import annotations

import os

from lineman.errors import HttpError
from lineman.net.connection.admission import DroppedError
from lineman.net.connection.connection import Connection
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint


def take(
    service: ConnectionContext,
    endpoint: Endpoint,
    fd: int,
    peer: tuple[str, int],
    refusal: HttpError | None = None,
) -> None:
    """Makes a connection of a descriptor whose first byte is the client's own, or a proxy's.

    Args:
        service: for which it was accepted.
        endpoint: at which it has come.
        fd: the descriptor.
        peer: address and port of the other end.
        refusal: what its first request is answered with; None for what the limits say.
    """
    admission = service.admission
    is_proxy = peer[0] in service.trusted_proxies  # whose client is not known yet
    if refusal is None:
        refusal = admission.arrive()
    try:
        if refusal is None and not is_proxy:
            refusal = admission.check(peer[0], is_droppable=True)
    except DroppedError:
        service.tally.add(0, 0, 0, 0)
        os.close(fd)
        return
    connection = Connection(service, endpoint, fd, peer)
    if refusal is not None:
        service.newcomers[connection] = refusal
    elif not is_proxy:
        admission.count(connection, peer[0])
    connection.begin()
