"""A channel layer for Django Channels: groups and channels between processes, without Redis."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineman.channels.layer import Layer

__all__ = ["Layer"]


def __getattr__(name: str) -> Any:
    # The hub's process imports this package too, and needs neither Django nor Channels.
    if name != "Layer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lineman.channels.layer import Layer

    return Layer
