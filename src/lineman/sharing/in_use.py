"""Whether this program uses events or shared values, so that its processes need the broker."""

from __future__ import annotations

# Set by the first function for an event and the first `Shared`, before the workers start.
is_used = False


def note() -> None:
    """Notes that the program uses them."""
    global is_used
    is_used = True
