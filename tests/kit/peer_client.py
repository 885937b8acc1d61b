"""The client of `websockets`, used from one thread.

The package's own blocking client reads and writes the same TLS in two threads at once. OpenSSL does
not allow that: one handshake in a few hundred fails (seen with websockets 17.4 and Python 3.11).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import connect

from kit.waiting import DEADLINE


class PeerClient:
    """A websocket to a server with blocking calls.

    Args:
        address: the server's URL.
        **options: for `websockets.connect`.
    """

    def __init__(self, address: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        usual = {"open_timeout": DEADLINE, "proxy": None, "ping_interval": None}
        try:
            self._line = self._runner.run(self._open(address, usual | options))
        except BaseException:
            self._runner.close()
            raise

    @staticmethod
    async def _open(address: str, options: dict[str, Any]) -> Any:
        return await connect(address, **options)

    def send(self, message: str | bytes) -> None:
        """Sends text or bytes."""
        self._runner.run(self._line.send(message))

    def recv(self, timeout: float = DEADLINE) -> Any:
        """The next message; raises `ConnectionClosed` after the last one."""
        return self._runner.run(asyncio.wait_for(self._line.recv(), timeout))

    def ping(self) -> None:
        """Returns when a ping was answered: the server has then read all messages before it."""
        self._runner.run(self._ping())

    async def _ping(self) -> None:
        await asyncio.wait_for(await self._line.ping(), DEADLINE)

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self.recv()

    def close(self) -> None:
        """Closes it with a closing handshake."""
        self._runner.run(self._line.close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
