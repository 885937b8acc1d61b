"""Which session speaks the protocol of an address."""

from __future__ import annotations

from collections.abc import Callable

from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.frame_session import FrameSession
from lineman.protocols.codecs.tcp_session import TcpSession
from lineman.protocols.codecs.text_session import TextSession
from lineman.protocols.interface import Session

_STREAMS: dict[str, Callable[[Limits], Session]] = {
    "tcp": TcpSession,
    "text": TextSession,
    "frame": FrameSession,
}


def of(protocol: str) -> Callable[[Limits], Session] | None:
    """Makes the session of a new connection; None for websockets, with HTTP before them.

    Args:
        protocol: of an `Address`.
    """
    return _STREAMS.get(protocol)
