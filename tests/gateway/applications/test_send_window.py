"""An application waits while what it has sent to a client has not left."""

from __future__ import annotations

import asyncio

from lineman.gateway.applications.send_window import WINDOW, SendWindow


def test_a_full_window_asks_once_and_waits_until_there_is_room() -> None:
    async def check() -> None:
        asked: list[int] = []
        window = SendWindow(lambda: asked.append(1))
        window.note_sent(WINDOW // 2)
        assert (window.unsent, asked) == (0, [])
        window.note_sent(WINDOW)
        window.note_sent(WINDOW)
        assert window.unsent > WINDOW
        assert asked == [1]
        waiting = asyncio.create_task(window.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        window.give_room()
        await waiting
        assert window.unsent == 0

    asyncio.run(check())
