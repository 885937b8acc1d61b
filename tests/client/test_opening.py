"""The one deadline of an opening."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from lineman import ConnectError, Connection, Request, UsageError, Worker, connect
from lineman.client import opening
from lineman.client.client_options import ClientPlan


def test_the_time_for_the_network_and_that_for_the_handshake_are_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reach = opening._reach

    async def reach_slowly(plan: ClientPlan, deadline: float) -> socket.socket:
        await asyncio.sleep(0.9)
        return await reach(plan, deadline)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            too_late = asyncio.Event()
            asyncio.get_running_loop().call_later(1.8, too_late.set)
            with pytest.raises(ConnectError, match="within 1 s"):
                await connect(f"ws://127.0.0.1:{silent.getsockname()[1]}", timeout=1.0)
            assert not too_late.is_set()

    monkeypatch.setattr(opening, "_reach", reach_slowly)
    asyncio.run(main())


def test_a_request_on_a_unix_socket_has_a_path(no_traces: None, tmp_path: Path) -> None:
    worker = Worker(f"ws+unix://{tmp_path}/s")
    seen: list[Request] = []

    @worker.on_websocket_connect
    def look(connection: Connection, request: Request) -> None:
        seen.append(request)

    async def main() -> None:
        await worker.start()
        async with connect(f"ws+unix://{tmp_path}/s:/room?n=7"):
            pass
        (request,) = seen
        assert (request.path, request.query["n"]) == ("/room", "7")
        assert request.headers["Host"] == "localhost"
        with pytest.raises(ConnectError, match=r"there is no such socket; fix: start the server"):
            await connect(f"ws+unix://{tmp_path}/other")
        await worker.stop(1.0)

    asyncio.run(main())


def test_sending_on_a_line_that_was_never_entered_is_an_error() -> None:
    line = connect("ws://127.0.0.1:1", reconnect=True)
    with pytest.raises(UsageError, match="this line was not entered: write `async with"):
        line.send("lost")
    line.close()
    assert not line.send("late")
    assert line.dropped == 1
