"""A client's opening handshake, pure: the request out, the answer in, and a `WebsocketSession`.

Source: RFC 6455, section 4.1.
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass

from lineman.protocols.interface import Upgrade
from lineman.protocols.websocket.client.server_answer import (
    Answer,
    AnswerReader,
    agreement,
    objection,
)
from lineman.protocols.websocket.client.url import Target
from lineman.protocols.websocket.handshake import client_request
from lineman.protocols.websocket.negotiation import DeflateOptions, offer
from lineman.protocols.websocket.session import SessionLimits, WebsocketSession


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Sizes and times of a client; see `SessionLimits`.

    A client that looks at a service takes what it sends: it is no server that must defend itself.
    """

    max_message_size: int = 1 << 30
    ping_interval: float = 0.0
    ping_timeout: float = 20.0
    close_timeout: float = 5.0


CLIENT_LIMITS = ClientLimits()


class HandshakeRefusedError(Exception):
    """The server did not open the websocket.

    Args:
        answer: what it answered.
        objection: what was wrong with a 101; None for every other status.
    """

    def __init__(self, answer: Answer, objection: str | None = None) -> None:
        super().__init__(objection or f"HTTP {answer.status}")
        self.answer = answer
        self.objection = objection


@dataclass(frozen=True, slots=True)
class ClientOpening:
    """What every client's handshake says.

    Attributes:
        target: the server.
        headers: further header lines.
        subprotocols: offered, best first.
        compression: offered; None for none.
        host: the value of `Host`; empty: that of the target.
    """

    target: Target
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: DeflateOptions | None = None
    host: str = ""

    def request(self, key: str) -> bytes:
        """The handshake as it goes on the line.

        Raises:
            UsageError: a header or a subprotocol would break it.
        """
        target = self.target
        extensions = None if self.compression is None else offer(self.compression)
        return client_request(
            self.host or target.authority,
            target.resource,
            key,
            self.headers,
            self.subprotocols,
            extensions,
        )


class ClientHandshake:
    """What one client has asked, and what it was answered.

    Args:
        opening: what the handshake says.
        masks: gives four fresh bytes that nobody can guess, for each frame; see `Masks`.
        limits: of the session that comes of it.

    Attributes:
        request: the handshake to send.
        answer: what the server answered; None before it has.
        subprotocol: what the server chose; None where it chose none.
    """

    __slots__ = (
        "_key", "_limits", "_masks", "_opening", "_reader", "answer", "request", "subprotocol",
    )  # fmt: skip

    def __init__(
        self,
        opening: ClientOpening,
        masks: Callable[[], bytes],
        limits: SessionLimits = CLIENT_LIMITS,
    ) -> None:
        self._key = binascii.b2a_base64(os.urandom(16), newline=False).decode("ascii")
        self._opening = opening
        self._masks = masks
        self._limits = limits
        self._reader = AnswerReader()
        self.request = opening.request(self._key)
        self.answer: Answer | None = None
        self.subprotocol: str | None = None

    def feed(self, data: bytes | memoryview) -> Upgrade | None:
        """The websocket, as soon as the server has agreed; its bytes behind the answer are in it.

        Raises:
            HandshakeRefusedError: the server answered with something else than a good 101.
            NotHttpError: it answered with something that is no HTTP.
        """
        answer = self._reader.feed(bytes(data))
        return None if answer is None else Upgrade(b"", self._judge(answer), self._reader.rest)

    def feed_end(self) -> None:
        """The stream has ended.

        Raises:
            HandshakeRefusedError: with what had come of a refusal until then.
        """
        answer = self._reader.finish()
        if answer is not None:
            self._judge(answer)

    def _judge(self, answer: Answer) -> WebsocketSession:
        self.answer = answer
        if answer.status != 101:
            raise HandshakeRefusedError(answer)
        opening = self._opening
        wrong = objection(answer, self._key, opening.subprotocols, opening.compression)
        if wrong is not None:
            raise HandshakeRefusedError(answer, wrong)
        self.subprotocol = answer.headers.get("sec-websocket-protocol")
        agreed = agreement(answer, opening.compression)
        return WebsocketSession(self._limits, agreed, opening.compression, self._masks)
