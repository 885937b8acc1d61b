"""The one deadline of an opening."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lineman import ConnectError, connect
from lineman.client import opening
from lineman.client.client_options import ClientPlan


def test_the_time_for_the_network_and_that_for_the_handshake_are_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reach = opening._reach

    async def reach_slowly(plan: ClientPlan) -> socket.socket:
        await asyncio.sleep(0.9)
        return await reach(plan)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            too_late = asyncio.Event()
            asyncio.get_running_loop().call_later(1.8, too_late.set)
            with pytest.raises(ConnectError, match="within 1 s"):
                await connect(f"ws://127.0.0.1:{silent.getsockname()[1]}", timeout=1.0)
            assert not too_late.is_set()

    monkeypatch.setattr(opening, "_reach", reach_slowly)
    asyncio.run(main())
