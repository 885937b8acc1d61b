"""A TCP relay between a node and its broker that can be cut, as a network is."""

from __future__ import annotations

import asyncio
import contextlib


class Cable:
    """A port in front of a server.

    While it is cut nothing passes: connections stay open, new ones are accepted and get no answer,
    and what was under way arrives when the cable is mended, as TCP does it. While it is slow, the
    node reads nothing from the broker.

    Args:
        to: the port of the server.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self._server: asyncio.Server | None = None
        self._passes = asyncio.Event()
        self._passes.set()
        self._reads = asyncio.Event()
        self._reads.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._passes.clear()

    def mend(self) -> None:
        self._passes.set()
        self._reads.set()

    def slow(self) -> None:
        self._reads.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._passes.wait()
        try:
            far, to = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        out = asyncio.create_task(self._pump(reader, to, None))
        back = asyncio.create_task(self._pump(far, writer, self._reads))
        self._tasks.update((out, back))
        try:
            await asyncio.wait((out, back))
        finally:
            for end in (writer, to):
                end.close()
            self._tasks.difference_update((out, back))

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        gate: asyncio.Event | None,
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                if gate is not None:
                    await gate.wait()
                data = await source.read(1 << 16)
                await self._passes.wait()
                if not data:
                    break
                sink.write(data)
                await sink.drain()
        with contextlib.suppress(OSError):
            sink.close()

    async def close(self) -> None:
        self.mend()
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
