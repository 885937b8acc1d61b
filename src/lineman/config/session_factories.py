"""Which session speaks the protocol of an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.chosen import SESSIONS, sessions_of
from lineman.protocols.interface import Session


def of(protocol: str, own: Any = None) -> Callable[[Limits], Session] | None:
    """Makes the session of a new connection; None for HTTP and websockets, which begin with it.

    Args:
        protocol: of an `Address`.
        own: what the program has given as `protocol`; None for none. It is spoken on `tcp`.
    """
    if own is not None and protocol == "tcp":
        return sessions_of(own)
    return SESSIONS.get(protocol)
