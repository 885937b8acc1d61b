"""How much an application may send to a client in another process before it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Bytes that are sent before the application waits until they have left the service.
WINDOW = 256 * 1024
# What a message costs besides its payload.
SIZE_OF_NOTHING = 64
# Says that there is no room, whatever the limit is.
_FULL = 1 << 40


class SendWindow:
    """What was sent to one client, and is not known to have left.

    Args:
        ask: asks for `give_room` when all that was sent has left.
    """

    __slots__ = ("_ask", "_loop", "_room", "_size")

    def __init__(self, ask: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ask = ask
        self._size = 0
        self._room: asyncio.Future[None] | None = None

    @property
    def unsent(self) -> int:
        """Bytes that keep the application from sending more; 0 while it may send."""
        return 0 if self._room is None else _FULL

    def note_sent(self, size: int) -> None:
        """Counts a message; at the window's end it is asked for room."""
        self._size += size + SIZE_OF_NOTHING
        if self._size >= WINDOW:
            self._size = 0
            if self._room is None:
                self._room = self._loop.create_future()
                self._ask()

    async def wait(self) -> None:
        """Returns when there is room."""
        if self._room is not None:
            await asyncio.shield(self._room)

    def give_room(self) -> None:
        """What was sent has left, or nothing more is sent."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
