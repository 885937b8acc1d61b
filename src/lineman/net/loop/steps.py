"""A step of a connection's work, counted after every message.

This is the plain-Python way; compiled modules find the same function in `steps.pxd`.
"""

from __future__ import annotations

from lineman.net.loop.turn import Turn


def has_spent(turn: Turn) -> bool:
    """Counts a step; whether the connection has had its share, as `Turn.spend`."""
    return turn.spend()
