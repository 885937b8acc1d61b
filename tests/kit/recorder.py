"""Functions that record their calls, so that another thread can wait for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kit.waiting import DEADLINE


class Recorder:
    """A function that records its arguments, so that another thread can wait for its calls."""

    def __init__(self) -> None:
        self._calls: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, *args: Any) -> None:
        with self._changed:
            self._calls.append(args[0] if len(args) == 1 else args)
            self._changed.notify_all()

    @property
    def calls(self) -> list[Any]:
        """The calls so far: for each the argument, or a tuple of several."""
        with self._changed:
            return list(self._calls)

    def wait(self, count: int = 1) -> list[Any]:
        """All calls, once there are at least `count`."""
        with self._changed:
            is_enough = self._changed.wait_for(lambda: len(self._calls) >= count, DEADLINE)
            assert is_enough, f"{len(self._calls)} calls and not {count}: {self._calls!r}"
            return list(self._calls)


class Ends:
    """Counts the connections that a service reports as opened and closed."""

    def __init__(self) -> None:
        self.connected = Recorder()
        self.closed = Recorder()
        self.callbacks: dict[str, Callable[..., Any]] = {
            "on_connect": lambda connection: self.connected(connection.id),
            "on_close": lambda connection, code, reason: self.closed(code, reason),
        }
