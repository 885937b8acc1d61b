"""Where a connection is in its life, and what may follow."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """The states of a connection."""

    HANDSHAKE = "handshake"  # TLS and HTTP, up to the 101
    OPEN = "open"  # messages go both ways
    CLOSING = "closing"  # our close frame is sent, the peer's is awaited
    FINISHING = "finishing"  # last bytes leave, what comes is thrown away
    CLOSED = "closed"

    # By identity: the enum's own is a Python call, and the table is asked for every transition.
    __hash__ = object.__hash__


# Plain names: the data path compares them for every message.
HANDSHAKE = State.HANDSHAKE
OPEN = State.OPEN
CLOSING = State.CLOSING
FINISHING = State.FINISHING
CLOSED = State.CLOSED

NEXT: dict[State, frozenset[State]] = {
    HANDSHAKE: frozenset({OPEN, FINISHING, CLOSED}),
    OPEN: frozenset({CLOSING, FINISHING, CLOSED}),
    CLOSING: frozenset({FINISHING, CLOSED}),
    FINISHING: frozenset({CLOSED}),
    CLOSED: frozenset(),
}
