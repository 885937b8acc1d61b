"""Opens a socket to a name: its addresses are tried side by side, each a little after the last.

Source: RFC 8305 ("Happy Eyeballs"), sections 4 and 5.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from itertools import chain, zip_longest
from typing import Any

# Seconds that an address has before the next one is tried beside it (RFC 8305, section 5).
DELAY = 0.25

Place = tuple[int, Any]  # the family of an address, and the address


class NoAddressError(OSError):
    """No address of a name took the connection.

    Args:
        failures: each address with what it failed with; None: it did not answer in time.
    """

    def __init__(self, failures: list[tuple[str, OSError | None]]) -> None:
        super().__init__("no address is reached")
        self.failures = failures

    @property
    def is_late(self) -> bool:
        """Whether the time was over while an address had not answered."""
        return any(error is None for _, error in self.failures)


async def reach(host: str, port: int, deadline: float) -> socket.socket:
    """A connected socket: to the address of the host that answers first.

    Args:
        host: a name or an IP address.
        port: 1 to 65535.
        deadline: of the loop's clock, for the name and the addresses.

    Raises:
        OSError: the name is not known; or no address answers, as a `NoAddressError`.
        TimeoutError: the name was not found in time.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(deadline):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return await first_of(in_turns([(family, at) for family, _, _, _, at in found]), deadline)


def in_turns(places: list[Place]) -> list[Place]:
    """The addresses with the families in turns, beginning with that of the first one. Pure."""
    first = [place for place in places if place[0] == places[0][0]]
    others = [place for place in places if place[0] != places[0][0]]
    pairs = chain.from_iterable(zip_longest(first, others))
    return [place for place in pairs if place is not None]


async def first_of(places: list[Place], deadline: float) -> socket.socket:
    """A socket that is connected to one of these; the sockets to the others are closed.

    Args:
        places: in the order of trying, at least one.
        deadline: of the loop's clock.

    Raises:
        NoAddressError: none of them has answered.
    """
    loop = asyncio.get_running_loop()
    left = deque(places)
    tried: dict[asyncio.Task[socket.socket], str] = {}
    running: set[asyncio.Task[socket.socket]] = set()
    try:
        while left or running:
            seconds = deadline - loop.time()
            if seconds <= 0:
                break
            if left:
                place = left.popleft()
                task = loop.create_task(connected(*place))
                tried[task] = str(place[1][0])
                running.add(task)
            done, running = await asyncio.wait(
                running,
                timeout=min(DELAY, seconds) if left else seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                if task.exception() is None:
                    del tried[task]
                    return task.result()
        raise NoAddressError([(at, _failure(task)) for task, at in tried.items()])
    finally:
        for task in tried:
            task.cancel()
            task.add_done_callback(_drop)


def _failure(task: asyncio.Task[socket.socket]) -> OSError | None:
    if not task.done():
        return None
    error = task.exception()
    if isinstance(error, OSError):
        return error
    assert error is not None
    raise error


def _drop(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def connected(family: int, address: Any) -> socket.socket:
    """A socket that is connected there.

    Raises:
        OSError: it is not reached.
    """
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
