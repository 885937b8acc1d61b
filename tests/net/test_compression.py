"""permessage-deflate on real sockets, with an independent client."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from kit.site import Serve, echo
from lineman import ConfigError, DeflateOptions, Worker
from lineman.config import checked_options
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close
from lineman.protocols.websocket.handshake import client_request

TEXT = json.dumps([{"id": number, "name": f"user {number}"} for number in range(400)])
MESSAGES: list[str | bytes] = ["", "x", "short", TEXT, TEXT.encode(), b"\0" * 300_000, "ü" * 70_000]


async def talk(options: DeflateOptions | bool, **client: Any) -> tuple[str, list[str | bytes]]:
    """What the server agreed to, and what came back for the messages."""
    worker = Worker("ws://127.0.0.1:0", compression=options)
    worker.on_message = echo
    await worker.start()
    try:
        factory = ClientPerMessageDeflateFactory(**client)
        async with websockets.connect(
            worker.url, extensions=[factory], compression=None, max_size=None, proxy=None
        ) as connection:
            answers = []
            for message in MESSAGES:
                await connection.send(message)
                answers.append(await connection.recv())
            await connection.send(["frag", "men", TEXT])  # in fragments
            answers.append(await connection.recv())
            assert connection.response is not None
            agreed = connection.response.headers.get("Sec-WebSocket-Extensions", "")
            return agreed, answers
    finally:
        await worker.stop()


@pytest.mark.parametrize("server_alone", [True, False])
@pytest.mark.parametrize("client_alone", [True, False])
@pytest.mark.parametrize("bits", [9, 15])
def test_every_message_comes_back_whole(server_alone: bool, client_alone: bool, bits: int) -> None:
    options = DeflateOptions(
        server_no_context_takeover=server_alone,
        client_no_context_takeover=client_alone,
        server_max_window_bits=bits,
        client_max_window_bits=bits,
        threshold=0,
    )
    agreed, answers = asyncio.run(talk(options, client_max_window_bits=True))
    assert agreed.startswith("permessage-deflate")
    assert ("server_no_context_takeover" in agreed) == server_alone
    assert answers == [*MESSAGES, "fragmen" + TEXT]


def test_nothing_is_agreed_on_where_compression_is_off() -> None:
    agreed, answers = asyncio.run(talk(False))
    assert agreed == ""
    assert answers == [*MESSAGES, "fragmen" + TEXT]


def test_what_is_no_compression_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="DeflateOptions"):
        checked_options.read(Worker("ws://127.0.0.1:0", compression="yes"))  # type: ignore[arg-type]


def deflated(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def offering(site: Any) -> Any:
    """A raw client that has agreed on compression."""
    client = site.connect()
    client.send_bytes(
        client_request(
            "localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==", extensions="permessage-deflate"
        )
    )
    reply = client.receive_reply()
    assert reply.status == 101
    assert "permessage-deflate" in reply.headers["sec-websocket-extensions"]
    return client


def test_a_bomb_costs_one_close_frame(serve: Serve) -> None:
    site = serve(on_message=echo, max_message_size=100_000)
    bomb = deflated(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    client = offering(site)
    client.send_bytes(frames.encode_masked(frames.BINARY, bomb, b"abcd", frames.FIN | frames.RSV1))
    close = client.receive()
    assert isinstance(close, Close)
    assert close.code == 1009
    other = site.open()
    other.send("alive")
    assert other.receive() == "alive"


def test_what_is_not_deflate_is_1007(serve: Serve) -> None:
    site = serve(on_message=echo)
    client = offering(site)
    client.send_bytes(
        frames.encode_masked(frames.TEXT, b"\xff" * 50, b"abcd", frames.FIN | frames.RSV1)
    )
    close = client.receive()
    assert isinstance(close, Close)
    assert close.code == 1007


def test_a_broadcast_reaches_those_who_compress_and_those_who_do_not() -> None:
    async def run() -> list[str | bytes]:
        worker = Worker("ws://127.0.0.1:0")
        await worker.start()
        async with (
            websockets.connect(worker.url, proxy=None) as one,
            websockets.connect(worker.url, proxy=None) as two,
            websockets.connect(worker.url, compression=None, proxy=None) as plain,
        ):
            assert worker.broadcast(TEXT) == 3
            assert worker.broadcast("small") == 3
            answers = []
            for connection in (one, two, plain):
                answers += [await connection.recv(), await connection.recv()]
            compressed = sum(c.bytes_written for c in worker.connections.values())
            assert compressed < 2.2 * len(TEXT)
        await worker.stop()
        return answers

    assert asyncio.run(run()) == [TEXT, "small"] * 3
