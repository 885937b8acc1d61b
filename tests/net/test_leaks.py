"""What connections and messages leave behind: nothing, counted and not weighed.

Garbage is collected before each count, so that a single object kept for every fourth connection, or
40 bytes for each, fails. `make soak` looks at the memory of a whole process.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from net.conftest import Serve
from net.support import Site, echo

CONNECTS = 400
MESSAGES = 5000


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def come_and_go(site: Site, count: int) -> None:
    for number in range(count):
        client = site.connect().open()
        client.send("x" * (number % 300))
        client.receive_message()
        if number % 3 == 0:
            client.reset()
        elif number % 3 == 1:
            client.send_close()
            client.receive_close()
        client.close()
        site.clients.remove(client)
    site.wait_until_empty()


def kept(site: Site) -> tuple[int, int]:
    """Objects that the collector knows, and bytes of Python's memory."""

    def count() -> tuple[int, int]:
        for _ in range(3):
            gc.collect()
        return len(gc.get_objects()), tracemalloc.get_traced_memory()[0]

    return site.call(count)


def test_connections_leave_nothing(serve: Serve, tls: bool, traced: None) -> None:
    site = serve(tls, on_message=echo, slow_readers="latest")
    come_and_go(site, 50)
    objects, size = kept(site)
    come_and_go(site, CONNECTS)
    more_objects, more_size = kept(site)
    assert more_objects - objects < CONNECTS // 4
    assert more_size - size < CONNECTS * 40


def test_messages_leave_nothing(serve: Serve, tls: bool, traced: None) -> None:
    site = serve(tls, on_message=echo)
    client = site.open()

    def talk(count: int) -> None:
        for number in range(count):
            client.send(bytes(number % 1000))
            assert len(client.receive_message()) == number % 1000

    talk(200)
    objects, size = kept(site)
    talk(MESSAGES)
    more_objects, more_size = kept(site)
    assert more_objects - objects < 50
    assert more_size - size < MESSAGES * 8


def test_messages_that_were_dropped_leave_nothing(serve: Serve, tls: bool, traced: None) -> None:
    site = serve(tls, slow_readers="drop_oldest", max_send_buffer_size=10_000)
    client = site.open(receive_buffer=4096)
    connection = site.connection

    def flood(count: int) -> int:
        for number in range(count):
            connection.send(bytes(900 + number % 100))
        connection.flush()
        return connection.messages_dropped

    while not site.call(lambda: flood(100)):
        pass
    objects, size = kept(site)
    assert site.call(lambda: flood(MESSAGES)) > MESSAGES // 2
    more_objects, more_size = kept(site)
    assert more_objects - objects < 50
    assert more_size - size < 10 * 1000
    client.close()
