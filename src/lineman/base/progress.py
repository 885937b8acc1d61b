"""Reports progress from within a long turn of the event loop.

The master kills a process whose event loop hangs. An event loop with much to do does not hang:
a thousand coroutines that compute for 10 ms each are one turn of asyncio's, and no timer of the
loop runs before its end. So each caller of the program's code calls `note` after it.
"""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[], object] | None = None


def listen(listener: Callable[[], object] | None) -> None:
    """Has a function called by every `note`, often; None for no more."""
    global _listener
    _listener = listener


def note() -> None:
    """Says that the program's code, or a share of work, has come to its end."""
    if _listener is not None:
        _listener()
