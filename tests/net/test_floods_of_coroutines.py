"""Floods for handlers that are coroutines: their time is bounded for all of them together."""

from __future__ import annotations

import asyncio
import time

import pytest

from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection
from lineman.base.tasktime import TASK_TIME
from lineman.testing.client import encode

# Coroutines.


class Slow:
    """Takes its time over each message, counts, and notes the count of each turn of asyncio's."""

    def __init__(self) -> None:
        self.count = 0
        self.most = 0
        self._turns = 0
        self._of_turn = (0, 0)

    def watch(self) -> None:
        """Counts the turns."""
        self._turns += 1
        asyncio.get_running_loop().call_soon(self.watch)

    def __call__(self, connection: Connection, message: str | bytes) -> None:
        if not self._turns:
            self.watch()
        turn, count = self._of_turn
        count = count + 1 if turn == self._turns else 1
        self._of_turn = (self._turns, count)
        self.most = max(self.most, count)
        self.count += 1
        end = time.perf_counter() + 0.0005
        while time.perf_counter() < end:
            pass


@pytest.mark.parametrize("is_stream", [False, True])
def test_the_time_of_coroutines_that_await_nothing_is_bounded_for_all_of_them_together(
    serve: Serve, is_stream: bool
) -> None:
    slow = Slow()

    async def take(connection: Connection, message: str | bytes) -> None:
        slow(connection, message)

    async def take_all(connection: Connection) -> None:
        async for message in connection:
            slow(connection, message)

    site = serve(on_connect=take_all) if is_stream else serve(on_message=take)
    crowd = [site.open() for _ in range(20)]
    for client in crowd:
        client.send_bytes(encode(b"") * 60)
    wait_until(lambda: slow.count == 60 * len(crowd), "all messages are worked off")
    # One of each connection, and what fits into some milliseconds; what is counted here lies in two
    # turns. Without a bound it is 60 of each.
    assert slow.most <= 2 * (len(crowd) + TASK_TIME / 0.0005) + 2


def test_messages_of_a_coroutine_that_has_had_its_time_stay_in_order(serve: Serve) -> None:
    async def answer(connection: Connection, message: str | bytes) -> None:
        time.sleep(0.0002)
        connection.send(message)

    client = serve(on_message=answer).open()
    client.send_bytes(b"".join(encode(str(number)) for number in range(500)))
    assert [client.receive() for _ in range(500)] == [str(number) for number in range(500)]
