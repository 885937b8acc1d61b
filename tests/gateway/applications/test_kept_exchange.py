"""A message is handed over when the application asks for it."""

from __future__ import annotations

import asyncio
from typing import Any

from kit.gateway import System
from kit.kept_apps import hold, reload, serve


def test_what_was_held_while_an_application_was_busy_comes_before_the_end(system: System) -> None:
    hold(system)
    told: list[Any] = []
    go_on = asyncio.Event()

    async def busy(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await go_on.wait()
        while not told or told[-1]["type"] == "websocket.receive":
            told.append(await receive())

    first = serve(system, busy)
    client = system.connect()
    for text in ("1", "2", "3"):
        client.send(text)

    def is_full() -> bool:
        (held,) = system.nodes[0].orders.clients.values()
        return len(held.unacknowledged or ()) == 2

    system.wait_until(is_full, "the worker has the other two")
    system.call(go_on.set)
    reload(system, first, busy)
    assert [each.get("text") for each in told] == ["2", "3", None]
    assert told[-1]["code"] == 1012
