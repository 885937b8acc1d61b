"""Who is the only one to talk for a while: the poller leaves it to asyncio's own epoll."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine

import pytest

from lineman.net.loop.poller import ALONE, MAX_ALONE, READ, WRITE, Poller
from net.polled import Noting, is_open


class Talk:
    """A poller in a running asyncio loop, and what comes to its handlers."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.poller = Poller(self.loop.call_soon, self.loop)
        self.loop.add_reader(self.poller.fileno(), self.poller.dispatch)

    async def say(self, handler: Noting, times: int) -> None:
        for _ in range(times):
            had = len(handler.events)
            handler.peer.send(b"x")
            await self.until(lambda: len(handler.events) > had)  # noqa: B023

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not is_so():
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Gives what should not come the time to come."""
        for _ in range(20):
            await asyncio.sleep(0)

    def is_in_loop(self, handler: Noting) -> bool:
        """Whether asyncio itself watches it: it says so when it is asked to forget it."""
        return bool(handler.fd in self.loop._selector.get_map())  # type: ignore[attr-defined]

    def end(self) -> None:
        for handler in self.poller.handlers():
            assert isinstance(handler, Noting)
            handler.close()
        self.loop.remove_reader(self.poller.fileno())
        self.poller.close()


def talk(scene: Callable[[Talk], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        made = Talk()
        try:
            await scene(made)
        finally:
            made.end()
        watched = set(made.loop._selector.get_map())  # type: ignore[attr-defined]
        assert len(watched) == 1, "only the loop's own descriptor is left in it"

    asyncio.run(main())


def test_who_talks_alone_moves_into_the_loop_and_is_served_there() -> None:
    async def scene(made: Talk) -> None:
        handler = Noting(made.poller)
        await made.say(handler, ALONE)
        assert not made.is_in_loop(handler)
        await made.say(handler, 1)
        assert made.is_in_loop(handler)
        handler.act = lambda events: made.poller.cork(handler.fd)
        await made.say(handler, 3)
        assert handler.events == [READ] * (ALONE + 4)
        assert handler.flushes == 3  # at the end of its batch
        other = Noting(made.poller)
        await made.say(other, 3)
        await made.say(handler, 1)

    talk(scene)


def test_who_talks_among_others_stays() -> None:
    async def scene(made: Talk) -> None:
        handlers = [Noting(made.poller), Noting(made.poller)]
        for _ in range(ALONE):
            for handler in handlers:
                await made.say(handler, 1)
        assert not any(made.is_in_loop(handler) for handler in handlers)

    talk(scene)


def test_only_a_few_move() -> None:
    async def scene(made: Talk) -> None:
        handlers = [Noting(made.poller) for _ in range(MAX_ALONE + 1)]
        for handler in handlers:
            await made.say(handler, ALONE + 1)
        assert [made.is_in_loop(each) for each in handlers] == [True] * MAX_ALONE + [False]
        handlers[0].close()
        await made.say(handlers[-1], ALONE + 1)
        assert made.is_in_loop(handlers[-1])

    talk(scene)


def test_what_is_watched_for_otherwise_moves_back() -> None:
    async def scene(made: Talk) -> None:
        handler = Noting(made.poller)
        await made.say(handler, ALONE + 1)
        made.poller.modify(handler.fd, 0)
        assert not made.is_in_loop(handler)
        handler.events.clear()
        handler.peer.send(b"x")
        await made.settle()
        assert handler.events == []
        handler.act = lambda events: made.poller.modify(handler.fd, READ)
        made.poller.modify(handler.fd, READ | WRITE)
        await made.until(lambda: handler.events)
        assert handler.events[0] == READ | WRITE
        await made.say(handler, ALONE + 1)
        assert made.is_in_loop(handler)

    talk(scene)


def test_what_is_watched_for_otherwise_does_not_move() -> None:
    async def scene(made: Talk) -> None:
        handler = Noting(made.poller)
        made.poller.modify(handler.fd, WRITE)
        await made.until(lambda: len(handler.events) > ALONE + 1)
        assert not made.is_in_loop(handler)

    talk(scene)


def test_who_has_moved_is_closed_and_its_number_is_free_for_another() -> None:
    async def scene(made: Talk) -> None:
        handler = Noting(made.poller)
        await made.say(handler, ALONE + 1)
        handler.act = lambda events: handler.close()
        await made.say(handler, 1)
        assert not is_open(handler.fd)
        second = Noting(made.poller)
        await made.say(second, 2)
        assert second.events == [READ, READ]

    talk(scene)


def test_a_defect_of_who_has_moved_ends_it_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(made: Talk) -> None:
        handler, other = Noting(made.poller), Noting(made.poller)
        await made.say(handler, ALONE + 1)

        def fail(events: int) -> None:
            raise RuntimeError("a defect")

        handler.act = fail
        await made.say(handler, 1)
        assert handler.faults == 1
        assert not is_open(handler.fd)
        await made.say(other, 1)

    talk(scene)
    assert "a defect" in caplog.text


def test_who_has_moved_and_is_forgotten_stays_open() -> None:
    async def scene(made: Talk) -> None:
        handler = Noting(made.poller)
        await made.say(handler, ALONE + 1)
        made.poller.forget(handler.fd)
        handler.events.clear()
        handler.peer.send(b"x")
        await made.settle()
        assert handler.events == []
        assert is_open(handler.fd)
        os.close(handler.fd)

    talk(scene)
