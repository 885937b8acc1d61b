"""`connect` reaches a worker behind each proxy as `lineman proxy` configures it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from e2e.support.client import DOMAIN
from e2e.support.proxies import Proxy
from lineman import ConnectError, connect
from lineman.testing.certificates import TestCA


async def resolve_here(self: Any, host: str, port: int, **_: Any) -> Any:
    assert host == DOMAIN
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_our_client_speaks_through_a_web_server(
    proxy: Proxy, ca: TestCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve_here)
    url = f"wss://{DOMAIN}:{proxy.https_port}/wss"
    messages: list[Any] = ["héllo", b"\0\xff", "x" * 1_000_000]

    async def main() -> None:
        async with connect(url, ca=ca.ca_path, subprotocols=["chat.v1"]) as line:
            assert line.subprotocol == "chat.v1"
            heard = aiter(line)
            for message in messages:
                line.send(message)
                assert await anext(heard) == message
            line.send("close 4001 come back later")
            assert [message async for message in heard] == []
            assert (line.close_code, line.close_reason) == (4001, "come back later")
        with pytest.raises(ConnectError, match="403: not today") as caught:
            await connect(f"{url}?refuse=1", ca=ca.ca_path)
        assert caught.value.status == 403

    asyncio.run(main())
