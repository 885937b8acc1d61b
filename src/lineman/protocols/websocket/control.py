"""Control frames of a websocket, as events.

Source: RFC 6455, section 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineman.errors import ProtocolError
from lineman.protocols.events import Close, Progress, Reply


@dataclass(frozen=True, slots=True)
class Ping(Reply):
    """A ping; the answer is a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong(Progress):
    """A pong, asked for or not."""

    payload: bytes


# What the bytes of a websocket can give.
Event = str | bytes | Ping | Pong | Close | ProtocolError | Progress
