"""Callbacks that no client has caused: users that come and go, and gaps in histories."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from lineman.base import progress
from lineman.gateway.business.running_callbacks import RunningCallbacks


class NewsCallbacks:
    """Runs these callbacks of one business worker.

    Args:
        callbacks: the program's functions by name; absent or None where it has none.
        running: the tasks of those that are `async def`.
        note_error: called with an exception of one, unless the worker has ended.
    """

    def __init__(
        self,
        callbacks: Mapping[str, Callable[..., Any] | None],
        running: RunningCallbacks,
        note_error: Callable[[BaseException], object],
    ) -> None:
        self._callbacks = callbacks
        self._running = running
        self._note_error = note_error
        self.has_ended = False

    def take(self, name: str, *about: str) -> None:
        """Calls a callback with what has happened."""
        callback = self._callbacks.get(name)
        if callback is None:
            return
        try:
            result = callback(*about)
        except BaseException as error:
            self._note_error(error)
            return
        if inspect.iscoroutine(result):
            self._running.start(name, self._await(result))

    async def _await(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            await coroutine
        except BaseException as error:
            if not self.has_ended:
                self._note_error(error)
        progress.note()
