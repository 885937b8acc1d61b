"""Clients whose sockets are full: what they are sent has to wait."""

from __future__ import annotations

from collections.abc import Callable

from kit.site import Site
from kit.waiting import wait_until
from lineman import Connection
from lineman.testing.client import RawClient

# Makes one: `slow(policy, **options)`.
Slow = Callable[..., tuple[Site, RawClient, Connection]]

LIMIT = 200_000
SIZE = 1000
LOOKS = 10
DROPPING = ["drop_oldest", "latest"]


def numbered(number: int, size: int = SIZE) -> str:
    return f"{number:09} ".ljust(size, ".")


def block(site: Site, connection: Connection) -> None:
    """Sends until the kernel takes no more for a while, and one message has to wait.

    What it acknowledges late, up to 40 ms, makes room once more.
    """
    looks = 0

    def fill() -> bool:
        nonlocal looks
        looks = looks + 1 if connection.unsent else 0
        if not connection.unsent:
            for _ in range(50):
                connection.send(bytes(SIZE))
            connection.flush()
        return looks >= LOOKS

    wait_until(lambda: site.call(fill), "the client's socket is full")


def everything(client: RawClient, last: object) -> list[object]:
    """What the client gets, up to this message."""
    got: list[object] = []
    while not got or got[-1] != last:
        event = client.receive()
        if not isinstance(event, bytes):  # the filling
            got.append(event)
    return got
