"""Callbacks that no client has caused."""

from __future__ import annotations

import asyncio

from lineman.gateway.business.news_callbacks import NewsCallbacks
from lineman.gateway.business.running_callbacks import RunningCallbacks


def test_callbacks_run_and_their_errors_are_noted() -> None:
    async def check() -> None:
        seen: list[str] = []
        errors: list[BaseException] = []

        async def later(uid: str) -> None:
            seen.append(uid)
            raise ValueError(uid)

        def fails(uid: str) -> None:
            raise KeyError(uid)

        running = RunningCallbacks()
        callbacks = {"on_uid_online": later, "on_uid_offline": fails, "on_history_gap": None}
        news = NewsCallbacks(callbacks, running, errors.append)
        news.take("on_uid_online", "7")
        news.take("on_uid_offline", "7")
        news.take("on_history_gap", "room", "1", "2")
        await running.wait(10)
        assert seen == ["7"]
        assert [type(each) for each in errors] == [KeyError, ValueError]

    asyncio.run(check())
