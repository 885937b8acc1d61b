"""What a session gives beside messages: what the peer is to be answered, and its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """The peer must be answered: `Session.answer_to` has the bytes.

    A peer that asks and does not read is owed the answer to its newest question alone.
    """


@dataclass(slots=True, unsafe_hash=True)  # a frozen one costs three times as much
class Close:
    """The peer ends the conversation; a websocket's code is 1005 where it gave none."""

    code: int
    reason: str


class Progress:
    """Nothing for the program, and work was done: the caller may do something else first."""

    __slots__ = ()


PROGRESS = Progress()
# What the peer sent was taken, and it is no message for the program.
NO_MESSAGE = Progress()
# The session must be asked again soon, also if nothing comes: `ask_now` at the next tick.
LATER = Progress()
