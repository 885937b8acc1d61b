"""What an application does with the connection of a client that another process has."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway import System
from kit.kept_apps import hold, serve
from lineman.testing.client import RawClient


def test_a_subprotocol_that_was_not_offered_is_an_error_in_the_application(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    hold(system)

    async def wrong(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "c"})

    serve(system, wrong)
    with RawClient(system.workers[0].port) as client:
        assert client.handshake(subprotocols=("a", "b")).status == 500
    assert "chose the subprotocol 'c', which the client did not offer: a, b" in caplog.text


def test_an_application_closes_with_its_code_and_reason(system: System) -> None:
    hold(system)

    async def close(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-a", b"b")]})
        await send({"type": "websocket.send", "bytes": b"last"})
        await send({"type": "websocket.close", "code": 4000, "reason": "enough"})

    serve(system, close)
    with RawClient(system.workers[0].port) as client:
        assert client.handshake().headers["x-a"] == "b"
        assert client.receive() == b"last"
        ended = client.receive_close()
        assert (ended.code, ended.reason) == (4000, "enough")
