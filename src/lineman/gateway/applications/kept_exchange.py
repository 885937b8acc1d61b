"""One websocket of an application that may go on in another process.

A message is handed over when the application asks for it, and not before: what it has not asked
for is still with the gateway process, and goes to the next worker.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from lineman.asgi.websocket_exchange import WebsocketExchange

REASON = "the service is restarting"


class KeptExchange(WebsocketExchange):
    """One call for a websocket.

    Args:
        served, scope, stage, connection: see `WebsocketExchange`.
    """

    __slots__ = (
        "_end_code", "_has_begun_to_receive", "_held", "_link", "_loop", "_receivers", "_taken",
    )  # fmt: skip

    def __init__(self, served: Any, scope: dict[str, Any], stage: Any, connection: Any) -> None:
        WebsocketExchange.__init__(self, served, scope, stage, connection)
        self._loop = asyncio.get_running_loop()
        self._link = connection
        self._has_begun_to_receive = False
        self._receivers: list[asyncio.Future[None]] = []
        self._held: deque[str | bytes] = deque()  # one that it waits for, and one more
        self._taken: asyncio.Future[None] | None = None  # until it has asked for both
        self._end_code = 0

    @property
    def is_idle(self) -> bool:
        """Whether the application waits for a message, and there is none."""
        return bool(self._receivers) and not self._held

    def offer(self, message: str | bytes) -> asyncio.Future[None] | None:
        """Holds a message for the application.

        Returns:
            What is done when the application has asked for it; None if it waits for one now.
        """
        if self.is_gone or self.task.done():
            return None
        was_idle = self.is_idle
        self._held.append(message)
        if was_idle:
            self._wake_receivers()
            return None
        self._taken = self._loop.create_future()
        return self._taken

    def leave(self, code: int) -> None:
        """The worker retires: the application is told so, after a message that it has."""
        self._end_code = code
        self._wake_receivers()

    def note_disconnected(self, code: int, reason: str) -> None:
        """See `WebsocketExchange`."""
        WebsocketExchange.note_disconnected(self, code, reason)
        self._wake_receivers()

    def drop_held(self) -> None:
        """The application has ended: a message that it has not asked for is for another worker."""
        self._held.clear()
        self._note_taken()

    def _wake_receivers(self) -> None:
        for receiver in self._receivers:
            if not receiver.done():
                receiver.set_result(None)

    def _note_taken(self) -> None:
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """The next message for the application."""
        if not self._has_begun_to_receive:
            self._has_begun_to_receive = True
            return await WebsocketExchange.receive(self)
        while True:
            if self._held:
                self.put(self._held.popleft())
                if not self._held:
                    self._note_taken()
                return await WebsocketExchange.receive(self)
            if self.is_gone:
                return await WebsocketExchange.receive(self)
            if self._end_code and self.has_begun:
                self._link.moves = True
                return {"type": "websocket.disconnect", "code": self._end_code, "reason": REASON}
            receiver: asyncio.Future[None] = self._loop.create_future()
            self._receivers.append(receiver)
            try:
                await receiver
            finally:
                self._receivers.remove(receiver)
