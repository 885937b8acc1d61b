"""What a program names as a protocol on a byte stream: a class of its own, or a scheme's name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from lineman.errors import ConfigError
from lineman.protocols.codecs.byte_stream import StreamLimits
from lineman.protocols.codecs.codec_session import CodecSession
from lineman.protocols.codecs.frame_session import FrameSession
from lineman.protocols.codecs.tcp_session import TcpSession
from lineman.protocols.codecs.text_session import TextSession
from lineman.protocols.interface import Session

# Makes the session of a new connection.
SessionFactory = Callable[[StreamLimits], Session]

SESSIONS: dict[str, SessionFactory] = {
    "tcp": TcpSession,
    "text": TextSession,
    "frame": FrameSession,
}
METHODS = ("input", "decode", "encode")
_RIGHT = "give the class, or what makes an object of it without arguments: protocol=MyProtocol"


def check(protocol: object) -> None:
    """Refuses what cannot be the protocol of a connection.

    Raises:
        ConfigError: it is neither a name of `SESSIONS`, nor a class with `METHODS`, nor a factory.
    """
    if isinstance(protocol, str):
        if protocol in ("ws", "wss", "websocket", "http", "https"):
            raise ConfigError(
                f"protocol is {protocol!r}, and a connection begins with HTTP or has none",
                "listen on ws:// (or wss://): its connections begin with HTTP, on_request answers "
                "plain requests, and a client that asks for it goes on with websocket",
            )
        if protocol not in SESSIONS:
            raise ConfigError(
                f"protocol is {protocol!r}", f"write one of {', '.join(SESSIONS)}, or {_RIGHT}"
            )
        return
    name = getattr(protocol, "__name__", type(protocol).__name__)
    if isinstance(protocol, type):
        missing = _missing(protocol)
        if missing:
            raise ConfigError(
                f"protocol is the class {name}, which has no {' and no '.join(missing)}",
                "write input(self, buffer), decode(self, package) and encode(self, message)",
            )
    elif not callable(protocol):
        what = "an object of" if not _missing(protocol) else "of type"
        raise ConfigError(f"protocol is {what} {name}", _RIGHT)
    try:
        inspect.signature(protocol).bind()
    except TypeError as error:
        raise ConfigError(
            f"{name} cannot be made without arguments: {error}",
            "use functools.partial, or a lambda that gives them",
        ) from None
    except ValueError:  # nothing is known about its arguments
        pass


def sessions_of(protocol: Any) -> SessionFactory:
    """Makes the sessions of a protocol that was checked: `sessions_of(MyProtocol)(limits)`."""
    if isinstance(protocol, str):
        return SESSIONS[protocol]

    def make(limits: StreamLimits) -> Session:
        codec = protocol()
        if missing := _missing(codec):
            raise TypeError(f"protocol made {codec!r}, which has no {' and no '.join(missing)}")
        return CodecSession(limits, codec, codec is protocol)

    return make


def _missing(codec: object) -> list[str]:
    return [name for name in METHODS if not callable(getattr(codec, name, None))]
