"""Notices business workers that hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from lineman.base.loglimit import LogLimit
from lineman.gateway.wire.messages import LinkPing, LinkPong
from lineman.links.link import Link


class LinkWatch:
    """Asks the business workers of one gateway process whether their event loops run.

    Args:
        patience: seconds until a worker that does not answer counts as dead.
        log: the logger of it.
    """

    def __init__(self, patience: float, log: LogLimit) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._patience = patience

    def check(self, links: Iterable[Link]) -> None:
        """Asks those that have answered, and gives up those that hang; called every second."""
        now = self._loop.time()
        for link in list(links):
            if link.asked_at is None:
                link.asked_at = now
                link.post(LinkPing())
            elif now - link.asked_at > self._patience:
                self._log.log(
                    logging.ERROR,
                    "business workers that hang",
                    "the business worker %s has not answered for %.0f s: it hangs, and others "
                    "serve its clients",
                    link.peer,
                    now - link.asked_at,
                )
                link.fail("it hangs")

    def on_pong(self, link: Link, pong: LinkPong) -> None:
        """A worker has answered."""
        link.asked_at = None
