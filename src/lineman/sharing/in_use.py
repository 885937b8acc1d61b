"""Whether this program uses events or shared values, so that its processes need the broker."""

from __future__ import annotations

# Set by the first function for an event and the first `Shared`, before the workers start.
is_used = False


def note() -> None:
    """Notes that the program uses them."""
    global is_used
    is_used = True


def is_wanted(broker: str | None) -> bool:
    """Whether the processes of the program need a broker.

    Args:
        broker: `Worker.broker`.
    """
    return broker is not None or is_used
