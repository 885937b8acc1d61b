"""What a decoder gives: messages, control frames, and the end.

Source: RFC 6455, sections 5.5 (control frames) and 7.1.5 (the close code).
"""

from __future__ import annotations

from dataclasses import dataclass

from lineman.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping; the answer is a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """A pong, asked for or not."""

    payload: bytes


@dataclass(slots=True, unsafe_hash=True)  # a frozen one costs three times as much
class Close:
    """The peer's close frame; code 1005 where it carried none."""

    code: int
    reason: str


class Progress:
    """Nothing is complete yet, and work has been done: the caller may do something else first."""

    __slots__ = ()


PROGRESS = Progress()

Event = str | bytes | Ping | Pong | Close | ProtocolError | Progress
