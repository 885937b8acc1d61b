"""`connect` against a server of npm's `ws` and one of aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kit.program import Program, find_program
from lineman import Connection, connect

SERVER = Path(__file__).with_name("ws_server.js")
# Of every form that a length has in a frame, and some text that is not ASCII.
MESSAGES = ("", "é" * 50, b"\x00\xff" * 63, "á" * 30_000, bytes(range(256)) * 300)


@pytest.fixture(scope="module")
def ws() -> Iterator[Program]:
    assert Path("/usr/share/nodejs/ws").exists(), "fix: apt-get install node-ws"
    program = Program("ws", [find_program("node", "nodejs"), SERVER])
    try:
        yield program
    finally:
        program.stop()


def url_of(ws: Program) -> str:
    return f"ws://127.0.0.1:{ws.wait_for_line('ready ')[0].split()[1]}/"


async def answer(line: Connection, message: str | bytes) -> Any:
    line.send(message)
    return await anext(aiter(line))


@pytest.mark.e2e
@pytest.mark.parametrize("compression", [True, False])
def test_ws_echoes_every_length(ws: Program, compression: bool) -> None:
    async def main() -> None:
        async with connect(url_of(ws), compression=compression) as line:
            agreed = await answer(line, "extensions")
            assert ("permessage-deflate" in agreed) is compression
            for message in MESSAGES * 2:
                assert await answer(line, message) == message
        assert line.close_code == 1000

    asyncio.run(main())


@pytest.mark.e2e
def test_ws_agrees_on_a_protocol_pings_and_sends_in_parts(ws: Program) -> None:
    async def main() -> None:
        async with connect(url_of(ws), subprotocols=["other", "chat"]) as line:
            assert line.subprotocol == "chat"
            assert await answer(line, "ping me") == "pong of here"
            assert await answer(line, "in parts") == "one, two"

    asyncio.run(main())


@pytest.mark.e2e
def test_each_side_learns_from_ws_how_the_other_has_ended(ws: Program) -> None:
    async def main() -> None:
        async with connect(url_of(ws)) as line:
            line.send("close me")
            assert [message async for message in line] == []
            assert (line.close_code, line.close_reason) == (4001, "as asked")
        async with connect(url_of(ws)) as line:
            line.send("vanish")
            assert [message async for message in line] == []
            assert line.close_code == 1006
        async with connect(url_of(ws)) as line:
            line.close(code=4002, reason="our own")

    asyncio.run(main())
    ws.wait_for_line("closed 4002 our own")


def test_aiohttp_echoes_every_length_and_ends() -> None:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            if message.data == "close me":
                await socket.close(code=4001, message=b"as asked")
            elif message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        return socket

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", serve)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
        async with connect(url, subprotocols=["chat"]) as line:
            assert line.subprotocol == "chat"
            for message in MESSAGES * 2:
                assert await answer(line, message) == message
            line.send("close me")
            assert [message async for message in line] == []
            assert (line.close_code, line.close_reason) == (4001, "as asked")
        await runner.cleanup()

    asyncio.run(main())
