"""A business worker by itself, with gateway processes whose messages the test writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from kit.waiting import until
from lineman.gateway.business.business_worker import Business
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import Hello, Send
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
            hello = Hello(messages.VERSION, node=f"node{number}", pid=os.getpid())
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
