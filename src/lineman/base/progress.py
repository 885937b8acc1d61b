"""Reports progress from within a long turn of the event loop.

The master kills a process whose event loop hangs. A busy event loop does not hang: a thousand
coroutines that compute for 10 ms each are one turn of asyncio, and no timer of the loop runs before
its end. So code that calls the program's code calls `note` afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

_listener: Callable[[], object] | None = None


def listen(listener: Callable[[], object] | None) -> None:
    """Sets the function that every `note` calls, which is often; None for none."""
    global _listener
    _listener = listener


def note() -> None:
    """Reports that a call of the program's code, or a part of the work, has ended."""
    if _listener is not None:
        _listener()
