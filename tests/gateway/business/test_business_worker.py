"""A business worker by itself, with gateway processes whose messages the test writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from kit.waiting import DEADLINE, until
from lineman.errors import ConfigError
from lineman.gateway.business.business_worker import Business
from lineman.gateway.wire import messages
from lineman.gateway.wire.link_refusals import ENOUGH
from lineman.gateway.wire.messages import Hello, Send, new_hello
from lineman.links.framing import LENGTH, Message, encode_frames


def test_it_has_started_once_its_orders_reach_each_gateway_process(tmp_path: Path) -> None:
    async def story() -> None:
        heard: list[list[Message]] = [[], []]
        writers: list[asyncio.StreamWriter] = []
        paths = tuple(str(tmp_path / f"{slot}.sock") for slot in range(2))

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number = len(writers)
            writers.append(writer)
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    size = int.from_bytes(await reader.readexactly(LENGTH), "big")
                    frame = await reader.readexactly(size)
                    heard[number] += messages.TO_GATEWAY.decode_batch(frame)
            writer.close()

        servers = [await asyncio.start_unix_server(serve, path) for path in paths]
        business = Business({}, paths, 0)
        starting = asyncio.get_running_loop().create_task(business.start())
        await until(lambda: all(heard))  # both were told Hello, and have not answered
        for number, writer in enumerate(writers):
            assert not starting.done()
            hello = new_hello(os.getpid(), f"node{number}")
            writer.writelines(encode_frames([hello])[0])
            await until(lambda number=number: f"node{number}" in business._links)
        await starting
        business.send_to_all("now")
        await until(lambda: any(isinstance(each[-1], Send) for each in heard))
        business.close()
        for server, writer in zip(servers, writers, strict=True):
            server.close()
            await writer.wait_closed()

    asyncio.run(story())


def test_it_does_not_start_beside_a_gateway_process_that_ends_every_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    links = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal links
        links += 1
        writer.close()

    async def story() -> None:
        path = str(tmp_path / "0.sock")
        async with await asyncio.start_unix_server(serve, path):
            with pytest.raises(ConfigError, match="it has not said which versions"):
                await Business({}, (path,), 0).start()

    asyncio.run(asyncio.wait_for(story(), DEADLINE))
    assert links == ENOUGH
    assert 1 <= len(caplog.records) < links  # the log is limited by the second


@pytest.mark.parametrize("oldest", [8, -3])
def test_it_does_not_start_beside_a_gateway_process_of_another_version(
    tmp_path: Path, oldest: int
) -> None:
    links = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal links
        links += 1
        writer.writelines(encode_frames([Hello(oldest, "a" * 8, newest=oldest + 1)])[0])
        await reader.read()
        writer.close()

    async def story() -> None:
        path = str(tmp_path / "0.sock")
        async with await asyncio.start_unix_server(serve, path):
            with pytest.raises(ConfigError, match=rf"it speaks versions {oldest} to .* fix: "):
                await Business({}, (path,), 0).start()

    asyncio.run(asyncio.wait_for(story(), DEADLINE))
    assert links == 1
