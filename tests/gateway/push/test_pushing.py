"""Pushing from another program: by a gateway's socket, and by the broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kit.gateway import System
from kit.waiting import DEADLINE
from lineman import AsyncGatewayClient, GatewayClient, NotReachedError
from lineman.errors import ConfigError
from lineman.gateway.wire.messages import Hello
from lineman.links.framing import encode_frames


def test_any_program_can_push_with_await_and_without(system: System) -> None:
    system.add_node("on_message")
    api = system.add_business(on_message=lambda client, message: client.bind(message))
    client = system.connect()
    client.send("anna")
    while not system.ask(api.is_uid_online("anna")):
        pass
    address = f"unix://{system.paths[0]}"

    async def push() -> list[str]:
        async with AsyncGatewayClient(address) as gateway:
            gateway.send_to_uid("anna", "from asyncio")
            return await gateway.get_all_uid_list()

    assert asyncio.run(push()) == ["anna"]
    with GatewayClient(address) as gateway:
        assert gateway.is_uid_online("anna")
        assert not gateway.is_uid_online("bert")
        gateway.send_to_uid("anna", "from a view")
    assert [client.receive(), client.receive()] == ["from asyncio", "from a view"]


def test_pushing_to_nobody_says_so(system: System) -> None:
    gateway = GatewayClient(f"unix://{system.directory}/none.sock")
    with pytest.raises(NotReachedError, match=r"there is no gateway at .*none\.sock"):
        gateway.send_to_all("x")
    gateway.close()
    for address in ("http://localhost", "127.0.0.1:1236", "unix:/run/app.sock"):
        with pytest.raises(ConfigError, match=r"no broker's address.* fix: give unix:///path"):
            GatewayClient(address)


@pytest.mark.parametrize("kind", [AsyncGatewayClient, GatewayClient])
@pytest.mark.parametrize("timeout", [0, -1, "10", None, float("nan")])
def test_a_timeout_that_is_none_is_refused(kind: Any, timeout: object) -> None:
    with pytest.raises(ConfigError, match=f"timeout is {timeout!r}"):
        kind("unix:///run/app.sock", timeout=timeout)


def test_who_has_not_connected_is_told_how() -> None:
    async def push(address: str) -> None:
        AsyncGatewayClient(address).send_to_all("x")

    for address in ("unix:///run/none.sock", "redis://me:geheim@127.0.0.1:1"):
        with pytest.raises(NotReachedError, match=r"await connect\(\) first") as refused:
            asyncio.run(push(address))
        assert "geheim" not in str(refused.value)


def test_a_gateway_of_a_version_that_is_not_understood_is_told(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(encode_frames([Hello(8, "a" * 8, newest=9)])[0])
        await reader.read()
        writer.close()

    async def push() -> None:
        path = str(tmp_path / "app.sock")
        async with await asyncio.start_unix_server(serve, path):
            wanted = r"nothing is pushed to .*: it speaks versions 8 to 9 .* fix: install"
            with pytest.raises(NotReachedError, match=wanted):
                await AsyncGatewayClient(f"unix://{path}").connect()

    asyncio.run(asyncio.wait_for(push(), DEADLINE))
