"""What a client of a load test says, by protocol: websocket, messages on a byte stream, datagrams.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lineman.cli.websocket_client.failures import Failure
from lineman.client.stream_target import StreamTarget
from lineman.protocols.codecs.frame_session import FrameSession
from lineman.protocols.codecs.tcp_session import TcpSession
from lineman.protocols.codecs.text_session import TextSession
from lineman.protocols.events import PROGRESS
from lineman.protocols.interface import Session
from lineman.protocols.websocket import close
from lineman.protocols.websocket.client.client_handshake import ClientHandshake, ClientOpening
from lineman.protocols.websocket.session import WebsocketSession

MAX_MESSAGE_SIZE = 1 << 30  # bytes; a load test takes what the service sends


@dataclass(frozen=True, slots=True)
class StreamOpening:
    """What clients of a protocol without HTTP must know; nothing is said before the first one.

    Attributes:
        target: the server.
        piece: for `tcp://`, which has no messages of its own: how many bytes count as one; 0 for
            all that one read brings.
    """

    target: StreamTarget
    piece: int = 0


class WebsocketTalk:
    """One client's websocket, with its handshake.

    Args:
        opening: what the handshake says.
        new_mask: gives four fresh bytes for each frame.

    Attributes:
        request: what to send first; empty where the connection is open at once.
        subprotocol: what the server chose.
    """

    has_close_frames = True
    lost = Failure(
        "connection lost without a close frame",
        "connection lost without a close frame",
        "check whether the service or a proxy has ended",
    )

    def __init__(self, opening: ClientOpening, new_mask: Callable[[], bytes]) -> None:
        self._handshake = ClientHandshake(opening, new_mask)
        self._session: WebsocketSession | None = None
        self.request = self._handshake.request

    @property
    def subprotocol(self) -> str | None:
        """What the server chose."""
        return self._handshake.subprotocol

    def open_with(self, data: bytes | memoryview) -> bytes | None:
        """What follows the server's answer; None while that is not complete.

        Raises:
            HandshakeRefusedError: the server answered with something else than a good 101.
            NotHttpError: it answered with something that is no HTTP.
        """
        opened = self._handshake.feed(data)
        if opened is None:
            return None
        assert isinstance(opened.session, WebsocketSession)
        self._session = opened.session
        return opened.rest

    def end_early(self) -> None:
        """The server has ended before its answer was complete.

        Raises:
            HandshakeRefusedError: with what had come of a refusal until then.
        """
        self._handshake.feed_end()

    def feed(self, data: bytes | memoryview) -> list[Any]:
        """All events that these bytes complete."""
        assert self._session is not None
        return self._session.feed(data)

    def encode(self, message: str | bytes) -> bytes:
        """A message as it goes over the wire."""
        assert self._session is not None
        return self._session.encode(message)

    def answer_to(self, event: Any, now: float) -> bytes | None:
        """What the server is to be sent for an event."""
        assert self._session is not None
        return self._session.answer_to(event, now)

    def closing(self, now: float) -> bytes | None:
        """The close frame."""
        assert self._session is not None
        return self._session.closing(close.NORMAL, "", now)


class StreamTalk:
    """One client that sends and receives messages of `text://`, `frame://` or `tcp://`.

    Args:
        opening: the protocol, and what counts as a message.
    """

    request = b""
    subprotocol = None
    has_close_frames = False
    lost = Failure(
        "closed by the server",
        "closed by the server",
        "see the service's log; if its port speaks TLS, write +tls behind the scheme",
    )

    def __init__(self, opening: StreamOpening) -> None:
        self._session = SESSIONS[opening.target.protocol](StreamClientLimits())
        self._piece = opening.piece
        self._begun = b""  # of a piece

    def open_with(self, data: bytes | memoryview) -> bytes | None:
        """Nothing is asked and nothing answered."""
        return bytes(data)

    def end_early(self) -> None:
        """There is no answer that could be missing."""

    def feed(self, data: bytes | memoryview) -> list[Any]:
        """All messages that these bytes complete, and what is wrong with them."""
        if self._piece:
            return self._pieces(data)
        session = self._session
        data = memoryview(data)
        events = []
        while (event := session.next(data)) is not None:
            if event is not PROGRESS:
                events.append(event)
            if not session.has_more:
                break
        return events

    def _pieces(self, data: bytes | memoryview) -> list[bytes]:
        piece, whole = self._piece, self._begun + data
        stop = len(whole) - len(whole) % piece
        self._begun = whole[stop:]
        return [whole[start : start + piece] for start in range(0, stop, piece)]

    def encode(self, message: str | bytes) -> bytes:
        """A message as it goes over the wire."""
        return self._session.encode(message)

    def answer_to(self, event: Any, now: float) -> bytes | None:
        """What the server is to be sent for an event."""
        return self._session.answer_to(event, now)

    def closing(self, now: float) -> bytes | None:
        """No words: the client ends its half of the connection."""
        return None


@dataclass(frozen=True, slots=True)
class StreamClientLimits:
    """Of a client, which takes what the service sends, and waits as long as its user wants."""

    max_message_size: int = MAX_MESSAGE_SIZE
    idle_timeout: float = 0.0


SESSIONS: dict[str, Callable[[StreamClientLimits], Session]] = {
    "text": TextSession,
    "frame": FrameSession,
    "tcp": TcpSession,
    "udp": TcpSession,  # bytes as they come; `DatagramLink` keeps the datagrams apart
}


def talk_of(
    opening: ClientOpening | StreamOpening, new_mask: Callable[[], bytes]
) -> WebsocketTalk | StreamTalk:
    """What a new client says."""
    if isinstance(opening, StreamOpening):
        return StreamTalk(opening)
    return WebsocketTalk(opening, new_mask)
