"""Events reach a function in order, one at a time, whatever it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit.waiting import until
from lineman.links.plain_values import encode_plain
from lineman.sharing.event_queue import AT_ONCE, MAX_BYTES, MAX_WAITING, EventQueue

Failures = list[tuple[str, BaseException]]


def packed(value: Any) -> bytes:
    return encode_plain("an event", value, 1_000_000)


def run(
    handler: Callable[[Any], Any], test: Callable[[EventQueue, Failures], Awaitable[None]]
) -> None:
    async def main() -> None:
        failures: Failures = []
        tasks: set[asyncio.Task[None]] = set()
        queue = EventQueue(
            handler,
            "on_event 'x': f",
            lambda coroutine: tasks.add(asyncio.create_task(coroutine)),
            lambda name, error: failures.append((name, error)),
        )
        await test(queue, failures)
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def test_events_wait_until_the_release_and_come_in_order() -> None:
    seen: list[int] = []

    async def test(queue: EventQueue, failures: Failures) -> None:
        for number in range(3 * AT_ONCE):
            assert queue.put(packed(number))
        await asyncio.sleep(0)
        assert seen == []
        queue.release()
        await until(lambda: len(seen) == 3 * AT_ONCE)
        assert seen == list(range(3 * AT_ONCE))

    run(seen.append, test)


def test_a_coroutine_ends_before_the_next_one_begins() -> None:
    seen: list[str] = []

    async def handler(number: int) -> None:
        seen.append(f"begin {number}")
        await asyncio.sleep(0)
        seen.append(f"end {number}")

    async def test(queue: EventQueue, failures: Failures) -> None:
        queue.release()
        queue.put(packed(1))
        queue.put(packed(2))
        await until(lambda: len(seen) == 4)
        assert seen == ["begin 1", "end 1", "begin 2", "end 2"]

    run(handler, test)


def test_a_function_that_raises_is_named_and_gets_the_next_event() -> None:
    seen: list[int] = []

    def handler(number: int) -> None:
        if number == 1:
            raise ZeroDivisionError("one")
        seen.append(number)

    async def test(queue: EventQueue, failures: Failures) -> None:
        queue.release()
        queue.put(packed(1))
        queue.put(packed(2))
        await until(lambda: seen == [2])
        ((name, error),) = failures
        assert name == "on_event 'x': f"
        assert isinstance(error, ZeroDivisionError)

    run(handler, test)


def test_a_function_may_put_a_further_event() -> None:
    seen: list[int] = []
    of_test: list[EventQueue] = []

    def handler(number: int) -> None:
        seen.append(number)
        if number < 5:
            of_test[0].put(packed(number + 1))

    async def test(queue: EventQueue, failures: Failures) -> None:
        of_test.append(queue)
        queue.release()
        queue.put(packed(1))
        await until(lambda: len(seen) == 5)
        await until(lambda: not queue._is_running)
        queue.put(packed(5))
        await until(lambda: len(seen) == 6)

    run(handler, test)


def test_events_past_the_limit_are_counted_and_lost() -> None:
    seen: list[int] = []

    async def test(queue: EventQueue, failures: Failures) -> None:
        taken = [queue.put(packed(number)) for number in range(MAX_WAITING + 3)]
        assert taken == [True] * MAX_WAITING + [False] * 3
        assert queue.lost == 3
        queue.release()
        await until(lambda: len(seen) == MAX_WAITING)
        assert queue.put(packed(0))

    run(seen.append, test)


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, KeyboardInterrupt])
def test_a_function_that_raises_what_ends_a_task_gets_the_next_event(
    error: type[BaseException],
) -> None:
    seen: list[int] = []

    async def handler(number: int) -> None:
        if number == 1:
            raise error
        seen.append(number)

    async def test(queue: EventQueue, failures: Failures) -> None:
        queue.release()
        queue.put(packed(1))
        queue.put(packed(2))
        await until(lambda: seen == [2])
        assert [type(raised) for _, raised in failures] == [error]

    run(handler, test)


def test_events_past_a_number_of_bytes_are_lost_too_and_room_comes_back() -> None:
    seen: list[str] = []
    large = packed("x" * 999_000)

    async def test(queue: EventQueue, failures: Failures) -> None:
        taken = [queue.put(large) for _ in range(20)]
        assert taken.count(True) == MAX_BYTES // len(large)
        queue.release()
        await until(lambda: len(seen) == taken.count(True))
        assert queue.put(large)

    run(seen.append, test)
