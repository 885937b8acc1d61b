"""Callbacks that no client has caused."""

from __future__ import annotations

import asyncio
from typing import cast

from lineman.gateway.business.news_callbacks import NewsCallbacks
from lineman.gateway.business.running_callbacks import RunningCallbacks
from lineman.gateway.wire.messages import HistoryGap, NewsDone, UserEvent
from lineman.links.framing import Message
from lineman.links.link import Link


class Told:
    """In place of a link."""

    def __init__(self) -> None:
        self.is_up = True
        self.messages: list[Message] = []

    def post(self, message: Message) -> None:
        self.messages.append(message)


def test_callbacks_run_their_errors_are_noted_and_their_ends_are_told() -> None:
    async def check() -> None:
        seen: list[str] = []
        errors: list[BaseException] = []
        may_go_on = asyncio.Event()

        async def later(uid: str) -> None:
            seen.append(uid)
            await may_go_on.wait()
            raise ValueError(uid)

        def fails(uid: str) -> None:
            raise KeyError(uid)

        running, link = RunningCallbacks(), Told()
        callbacks = {"on_uid_online": later, "on_uid_offline": fails, "on_history_gap": None}
        news = NewsCallbacks(callbacks, running, errors.append)
        news.take(cast(Link, link), UserEvent("7", True, 1))
        news.take(cast(Link, link), UserEvent("7", False, 2))
        news.take(cast(Link, link), HistoryGap("room", "1", "2", 3))
        news.take(cast(Link, link), UserEvent("8", False))  # of a gateway process of before
        assert link.messages == [NewsDone(2), NewsDone(3)]
        may_go_on.set()
        await running.wait(10)
        assert seen == ["7"]
        assert [type(each) for each in errors] == [KeyError, KeyError, ValueError]
        assert link.messages[2:] == [NewsDone(1)]

    asyncio.run(check())


def test_a_callback_that_is_cut_off_has_not_ended() -> None:
    async def check() -> None:
        async def never(uid: str) -> None:
            await asyncio.Event().wait()

        running, link, errors = RunningCallbacks(), Told(), list[BaseException]()
        news = NewsCallbacks({"on_uid_online": never}, running, errors.append)
        news.take(cast(Link, link), UserEvent("7", True, 1))
        await running.wait(0)
        news.has_ended = True
        await running.cut_off(0)
        assert (link.messages, errors) == ([], [])

    asyncio.run(check())
