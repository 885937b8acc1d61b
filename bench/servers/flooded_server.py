"""Lineman with a callback that takes 2 µs; it measures how long a turn of its event loop takes.

    python flooded_server.py PORT [CERT KEY]

`GET /turns` answers with the longest turn since the last such request, in seconds.
"""

import asyncio
import selectors
import time
from typing import Any

from common import HOST, files, port

from lineman import Connection, Request, Worker

WORK = 2e-6
ECHOED = "echo"


class TimedSelector(selectors.DefaultSelector):
    """Measures the turns of the event loop: a turn is the time between two of its waits."""

    longest = 0.0
    _begun = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Waits, and measures the turn before it."""
        if self._begun:
            self.longest = max(self.longest, time.thread_time() - self._begun)
        found = super().select(timeout)
        self._begun = time.thread_time()
        return found


selector = TimedSelector()
pair = files()
worker = Worker(f"{'ws' if pair is None else 'wss'}://{HOST}:{port()}")
if pair is not None:
    worker.cert, worker.key = pair


@worker.on_message
def answer(connection: Connection, message: str | bytes) -> None:
    """Echoes to the client that measures; for other clients it computes for 2 µs."""
    if message == ECHOED:
        connection.send(message)
        return
    end = time.perf_counter() + WORK
    while time.perf_counter() < end:
        pass


@worker.on_request
def tell(request: Request) -> str:
    """Returns the longest turn, and resets it."""
    if request.path != "/turns":
        return "hello"
    longest, selector.longest = selector.longest, 0.0
    return repr(longest)


async def main() -> None:
    """Serves until it is ended."""
    await worker.start()
    await asyncio.Event().wait()


with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
    runner.run(main())
