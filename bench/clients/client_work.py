"""What the clients of the comparison share: their command line, and how their CPU time is counted.

    python <name>_client.py URL CONNECTIONS DEPTH SIZE MESSAGES

A client opens its connections to a server that echoes, sends `DEPTH` messages on each, and one more
for each that comes back, until `MESSAGES` have come. It prints the microseconds of CPU for each.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable


class Work:
    """How much there is to do, and when it is done.

    Attributes:
        url: where to connect.
        connections: how many.
        depth: messages in flight on each.
        message: what is sent.
        each: messages that come back on each connection.
    """

    def __init__(self) -> None:
        self.url = sys.argv[1]
        self.connections, self.depth, size, messages = map(int, sys.argv[2:6])
        self.message = b"x" * size
        self.each = messages // self.connections
        self._open = 0
        self._all_open = asyncio.Event()
        self._began = 0.0

    async def begin(self) -> None:
        """Returns when all connections are open; the time counts from then on."""
        self._open += 1
        if self._open == self.connections:
            self._began = time.process_time()
            self._all_open.set()
        await self._all_open.wait()

    def tell(self) -> None:
        """Prints what a message has cost."""
        passed = time.process_time() - self._began
        print(passed / (self.each * self.connections) * 1e6)


def run(echo: Callable[[Work], Awaitable[None]]) -> None:
    """Runs a client on all connections, on uvloop where that is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        new_event_loop = None

    async def main() -> None:
        work = Work()
        await asyncio.gather(*(echo(work) for _ in range(work.connections)))
        work.tell()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
