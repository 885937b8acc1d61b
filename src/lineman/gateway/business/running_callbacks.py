"""The `async def` callbacks that run in a business worker, and their end when it retires."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from lineman.gateway.wire.messages import Closed, Event, HandshakeRequest, Opened, Resumed
from lineman.scheduling.owned_tasks import counted

logger = logging.getLogger("lineman")

# Seconds that a cancelled callback has for its end; it may ignore its cancellation.
LAST_WORDS = 1.0


_CALLBACKS: dict[type, str] = {
    Opened: "on_connect",
    Resumed: "on_resume",
    Closed: "on_close",
    HandshakeRequest: "on_websocket_connect",
}


def callback_of(event: Event) -> str:
    """The name of the callback that an event of a client is for."""
    return _CALLBACKS.get(type(event), "on_message")


class RunningCallbacks:
    """Tasks that each await callbacks.

    Attributes:
        names: the callback that each task awaits now.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.names: dict[asyncio.Task[None], str] = {}

    def start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that awaits the callback with a name."""
        task = self._loop.create_task(coroutine)
        self.names[task] = name
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.names.pop(task, None)

    def go_on(self, name: str) -> None:
        """The running task awaits another callback from now on."""
        task = asyncio.current_task()
        if task in self.names:
            self.names[task] = name

    async def wait(self, seconds: float) -> None:
        """Returns when none runs any more, or after so many seconds."""
        if self.names:
            await asyncio.wait(self.names, timeout=max(0.0, seconds))

    async def cut_off(self, waited: float) -> None:
        """Cancels those that still run, and says which.

        Args:
            waited: seconds, for the log.
        """
        if not self.names:
            return
        logger.warning(
            "this business worker has waited %.2g s for its callbacks, and cuts them off: %s; "
            "fix: a larger drain_seconds or stop_timeout, or gateway.after(…) for what comes later",
            waited, counted(self.names.values()),
        )  # fmt: skip
        for task in list(self.names):
            task.cancel()
        await asyncio.wait(self.names, timeout=LAST_WORDS)
