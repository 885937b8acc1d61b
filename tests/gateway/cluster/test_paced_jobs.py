from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kit.waiting import until
from lineman.gateway.cluster.paced_jobs import SLICE, Job, PacedJobs


class Told:
    """What is told, and whether there is room for more."""

    def __init__(self) -> None:
        self.has_room = True
        self.heard: list[str] = []
        self.jobs = PacedJobs(lambda node, about: self.heard.append(node), lambda: self.has_room)


def saying(*words: str) -> Job:
    for word in words:
        yield word, None  # type: ignore[misc]


def run(story: Callable[[Told], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await story(Told())

    asyncio.run(main())


def test_a_short_job_is_done_at_once_and_jobs_are_done_in_order() -> None:
    async def story(told: Told) -> None:
        told.jobs.add(saying("a", "b"))
        assert told.heard == ["a", "b"]
        told.jobs.add(saying("c"))
        assert told.heard == ["a", "b", "c"]

    run(story)


def test_a_job_waits_for_room_and_the_next_one_waits_for_it() -> None:
    async def story(told: Told) -> None:
        told.has_room = False
        told.jobs.add(saying("a"))
        told.jobs.add(saying("b"))
        assert told.heard == []
        told.has_room = True
        await until(lambda: told.heard == ["a", "b"])

    run(story)


def test_a_long_job_lets_others_have_their_turn() -> None:
    async def story(told: Told) -> None:
        loop = asyncio.get_running_loop()
        turns: list[int] = []

        def endless() -> Job:
            for number in range(3):
                until_then = loop.time() + SLICE
                while loop.time() < until_then:
                    yield None
                loop.call_soon(turns.append, number)

        told.jobs.add(endless())
        assert turns == []
        await until(lambda: len(turns) == 3)

    run(story)


def test_a_job_that_fails_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Job:
        yield "a", None  # type: ignore[misc]
        raise RuntimeError("broken job")

    async def story(told: Told) -> None:
        told.jobs.add(failing())
        told.jobs.add(saying("b"))
        assert told.heard == ["a", "b"]

    run(story)
    assert "a job between gateway processes failed" in caplog.text
    assert "broken job" in caplog.text


def test_after_a_stop_nothing_more_is_told() -> None:
    async def story(told: Told) -> None:
        told.has_room = False
        told.jobs.add(saying("a"))
        told.jobs.stop()
        told.has_room = True
        told.jobs.add(saying())
        await asyncio.sleep(0.02)  # twice as long as it waits for room
        assert told.heard == []

    run(story)


def test_a_message_that_cannot_be_sent_ends_its_own_job_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(told: Told) -> None:
        def tell(node: str, about: object) -> None:
            if node == "a":
                raise RuntimeError("cannot be sent")
            told.heard.append(node)

        jobs = PacedJobs(tell, lambda: True)
        jobs.add(saying("a", "b"))
        jobs.add(saying("c"))
        assert told.heard == ["c"]

    run(story)
    assert "cannot be sent" in caplog.text
