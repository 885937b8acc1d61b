"""Timers in a business worker: which gateway process it tells, and how it calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from lineman.errors import NotReachedError, RefusedError
from lineman.gateway.business.running_callbacks import RunningCallbacks
from lineman.gateway.business.timer_calls import TimerCalls
from lineman.gateway.wire.timer_messages import CancelTimer, SetTimer, TimerDone, TimerDue
from lineman.links.link import Link


class FakeLink:
    """Notes what is posted."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.posted: list[Any] = []

    def check_room(self) -> None:
        """There is room."""

    def post(self, message: Any, size: int = 0) -> None:
        """Keeps a message."""
        self.posted.append(message)


def run(story: Callable[[TimerCalls, list[FakeLink]], Any], **functions: Any) -> list[FakeLink]:
    """Runs a story with a worker that has three links."""
    links = [FakeLink(letter * 8) for letter in "cab"]

    async def begin() -> None:
        errors: list[BaseException] = []
        running = RunningCallbacks()
        calls = TimerCalls(functions, running, errors.append)
        for link in links:
            calls.versions[cast(Link, link)] = 5
        found = story(calls, links)
        if asyncio.iscoroutine(found):
            await found
        await running.wait(10)

    asyncio.run(begin())
    return links


def test_all_orders_about_a_key_go_to_the_same_process_in_order() -> None:
    def story(calls: TimerCalls, links: list[FakeLink]) -> None:
        for number in range(30):
            calls.give(SetTimer(str(number), "f", b"\x90", 1.0))
            calls.give(CancelTimer(str(number)))

    links = run(story)
    assert all(link.posted for link in links)
    for link in links:
        keys = [order.key for order in link.posted]
        assert keys[::2] == keys[1::2]
        assert all(isinstance(order, SetTimer) for order in link.posted[::2])


def test_one_of_the_version_before_gets_none() -> None:
    def story(calls: TimerCalls, links: list[FakeLink]) -> None:
        calls.versions[cast(Link, links[0])] = 4
        for number in range(30):
            calls.give(SetTimer(str(number), "f", b"\x90", 1.0))
        for link in links[1:]:
            calls.leave(cast(Link, link))
        with pytest.raises(RefusedError, match="older version"):
            calls.give(CancelTimer("1"))
        calls.leave(cast(Link, links[0]))
        with pytest.raises(NotReachedError, match="no gateway process is reachable"):
            calls.give(CancelTimer("1"))

    links = run(story)
    assert not links[0].posted
    assert len(links[1].posted) + len(links[2].posted) == 30


def test_a_call_is_reported_when_it_has_ended() -> None:
    may_end = asyncio.Event()

    async def wait() -> None:
        await may_end.wait()

    async def story(calls: TimerCalls, links: list[FakeLink]) -> None:
        link = cast(Link, links[0])
        calls.call(link, TimerDue("1", "wait", b"\x90"))
        calls.call(link, TimerDue("2", "plain", b"\x90"))
        calls.call(link, TimerDue("3", "unknown", b"\x90"))
        calls.call(link, TimerDue("4", "plain", b"\x91\x01"))  # one argument too many
        calls.call(link, TimerDue("5", "plain", b"garbage"))
        await asyncio.sleep(0)
        done = [TimerDone("2"), TimerDone("3", True), TimerDone("4"), TimerDone("5")]
        assert links[0].posted == done
        may_end.set()

    links = run(story, wait=wait, plain=lambda: None)
    assert links[0].posted[-1] == TimerDone("1")


def test_a_call_that_is_cut_off_is_not_reported_as_done() -> None:
    async def wait() -> None:
        await asyncio.sleep(1000)

    async def story(calls: TimerCalls, links: list[FakeLink]) -> None:
        calls.call(cast(Link, links[0]), TimerDue("1", "wait", b"\x90"))
        await calls._running.wait(0)
        await calls._running.cut_off(0)

    assert not run(story, wait=wait)[0].posted


def test_a_call_that_awaited_what_was_cancelled_has_ended() -> None:
    async def wait() -> None:
        task = asyncio.ensure_future(asyncio.sleep(1000))
        task.cancel()
        await task

    def story(calls: TimerCalls, links: list[FakeLink]) -> None:
        calls.call(cast(Link, links[0]), TimerDue("1", "wait", b"\x90"))

    assert run(story, wait=wait)[0].posted == [TimerDone("1")]


@pytest.mark.parametrize("kind", ["future", "task", "gathered"])
def test_whatever_a_function_returns_to_be_awaited_is_awaited(kind: str) -> None:
    may_end = asyncio.Event()

    def begin() -> Any:
        if kind == "future":
            future = asyncio.get_running_loop().create_future()
            asyncio.ensure_future(may_end.wait()).add_done_callback(lambda _: future.cancel())
            return future
        waiting = asyncio.ensure_future(may_end.wait())
        return waiting if kind == "task" else asyncio.gather(waiting)

    async def story(calls: TimerCalls, links: list[FakeLink]) -> None:
        calls.call(cast(Link, links[0]), TimerDue("1", "begin", b"\x90"))
        await asyncio.sleep(0.01)
        assert not links[0].posted
        may_end.set()

    assert run(story, begin=begin)[0].posted == [TimerDone("1")]
