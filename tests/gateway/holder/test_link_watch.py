"""A business worker that does not answer is given up."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from lineman.base.loglimit import LogLimit
from lineman.gateway.holder.link_watch import LinkWatch
from lineman.gateway.wire.messages import LinkPing, LinkPong


class Asked:
    peer = "7"

    def __init__(self) -> None:
        self.asked_at: float | None = None
        self.posted: list[Any] = []
        self.reason = ""

    def post(self, message: Any) -> None:
        self.posted.append(message)

    def fail(self, reason: str) -> None:
        self.reason = reason


def test_it_is_asked_again_once_it_has_answered(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        link: Any = Asked()
        watch = LinkWatch(0.0, LogLimit(logging.getLogger("lineman")))
        watch.check([link])
        watch.on_pong(link, LinkPong())
        watch.check([link])
        assert link.posted == [LinkPing(), LinkPing()]
        await asyncio.sleep(0.01)
        watch.check([link])
        assert link.reason == "it hangs"

    asyncio.run(check())
    assert "the business worker 7 has not answered" in caplog.text
