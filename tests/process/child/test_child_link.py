"""A child's end of the line to its master, whose end is a socket of the test's."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit.waiting import DEADLINE
from lineman.process.child.child_link import ChildLink
from lineman.process.messages.lines import encode


class Master:
    """The other end of a link."""

    def __init__(self, link: ChildLink, reader: asyncio.StreamReader, writer: Any) -> None:
        self.link = link
        self.ended = asyncio.Event()
        self._reader = reader
        self._writer = writer

    def say(self, **message: Any) -> None:
        self._writer.write(encode(message))

    def say_raw(self, line: bytes) -> None:
        self._writer.write(line)

    async def hear(self) -> dict[str, Any]:
        """The next message that is no beat."""
        while True:
            async with asyncio.timeout(DEADLINE):
                message: dict[str, Any] = json.loads(await self._reader.readline())
            if message.get("event") != "beat":
                return message


def with_link(test: Callable[[Master], Awaitable[None]]) -> None:
    async def run() -> None:
        own, theirs = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=own)
        link = ChildLink()
        master = Master(link, reader, writer)
        await link.open(theirs.detach(), master.ended.set)
        try:
            await test(master)
        finally:
            await link.close()
            writer.close()
            os.close(link._lifeline)

    asyncio.run(run())


def test_questions_are_answered_also_by_functions_that_await() -> None:
    async def slow(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def test(master: Master) -> None:
        master.link.answer("status", lambda rows: {"rows": rows})
        master.link.answer("double", slow)
        master.say(ask="status", id=1, rows=5)
        assert await master.hear() == {"id": 1, "answer": {"rows": 5}}
        master.say(ask="double", id=2, number=4)
        assert await master.hear() == {"id": 2, "answer": 8}

    with_link(test)


def test_a_question_that_fails_or_is_unknown_is_answered_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(master: Master) -> None:
        master.link.answer("status", lambda: 1 // 0)
        master.say(ask="status", id=1)
        answer = (await master.hear())["answer"]
        assert answer == {"error": "ZeroDivisionError: integer division or modulo by zero"}
        master.say(ask="weather", id=2)
        assert "does not know how to answer 'weather'" in (await master.hear())["answer"]["error"]

    with_link(test)
    assert "the question 'status' of the master failed" in caplog.text


def test_an_order_that_is_unknown_is_left_out_and_one_that_fails_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(master: Master) -> None:
        done: asyncio.Queue[int] = asyncio.Queue()
        master.link.on("drain", lambda code: done.put_nowait(code))
        master.link.on("stop", lambda: 1 // 0)
        master.say(do="fly")  # of a newer master
        master.say(do="stop")
        master.say(do="drain", code=1012)
        async with asyncio.timeout(DEADLINE):
            assert await done.get() == 1012

    with_link(test)
    assert "the order 'stop' of the master failed" in caplog.text
    assert "fly" not in caplog.text


@pytest.mark.parametrize("how", ["rubbish", "end"])
def test_a_master_that_is_gone_or_says_rubbish_ends_the_link(how: str) -> None:
    async def test(master: Master) -> None:
        if how == "rubbish":
            master.say_raw(b"rubbish\n")
        else:
            master._writer.close()
        async with asyncio.timeout(DEADLINE):
            await master.ended.wait()

    with_link(test)


def test_what_a_child_reports_has_its_name() -> None:
    async def test(master: Master) -> None:
        link = master.link
        link.ready()
        link.failed("no port")
        link.renew("it has served enough")
        link.renew("it has grown", has_grown=True)
        link.changed("/srv/app.py")
        link.split()
        assert [await master.hear() for _ in range(6)] == [
            {"event": "ready"},
            {"event": "failed", "why": "no port"},
            {"event": "renew", "why": "it has served enough"},
            {"event": "grown", "why": "it has grown"},
            {"event": "changed", "path": "/srv/app.py"},
            {"event": "split"},
        ]

    with_link(test)
