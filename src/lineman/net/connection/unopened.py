"""A connection before it is a websocket, as `HttpStage` sees it."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, Protocol

from lineman.errors import HttpError
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint
from lineman.net.loop.poller import Poller
from lineman.protocols.interface import Upgrade


class Unopened(Protocol):
    """What `HttpStage` asks of its connection, and tells it."""

    request: Any
    remote_ip: str
    remote_port: int
    subprotocol: str | None
    proxy_header: Any
    service: ConnectionContext
    endpoint: Endpoint
    poller: Poller
    peer: tuple[str, int]

    @property
    def peer_address(self) -> str:
        """For the log."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether nothing is to be said any more."""
        ...

    @property
    def is_unopened(self) -> bool:
        """Whether it is no websocket yet."""
        ...

    @property
    def shows_certificate(self) -> bool:
        """Whether the client has shown one in TLS."""
        ...

    @property
    def bytes_written(self) -> int:
        """Payload bytes that the kernel or TLS has taken."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client."""
        ...

    def keep(self, rest: bytes) -> None:
        """Goes on with these bytes in another turn."""
        ...

    def note_unfinished(self, message: Sized | None, held: int) -> None:
        """Counts a request that is not whole."""
        ...

    def cork(self, data: bytes) -> None:
        """Sends an answer."""
        ...

    def destroy(self) -> None:
        """Drops it now."""
        ...

    def finish(self) -> None:
        """Ends it when everything is sent."""
        ...

    def refuse(self, error: HttpError) -> None:
        """Answers with an error, and ends it."""
        ...

    def pause(self, why: int) -> None:
        """Reads no more for a reason."""
        ...

    def resume(self, why: int) -> None:
        """Takes the reason back."""
        ...

    def take_bytes(self, data: memoryview) -> None:
        """Takes bytes, of which there may be none, as if they came now."""
        ...

    def upgrade(self, upgrade: Upgrade) -> None:
        """Goes on as a websocket."""
        ...

    def give_up_handshake(self, answer: bytes | None) -> None:
        """Ends it, since it took too long; None where nothing was asked."""
        ...
