"""Answers the questions that business workers and programs that push ask over links."""

from __future__ import annotations

import asyncio

from lineman.base.loglimit import LogLimit
from lineman.errors import LinkFullError, NotReachedError, RefusedError, UsageError
from lineman.gateway.holder.routing import Routing
from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion
from lineman.links.link import Link


class LinkQuestions:
    """The questions of all links of one gateway process.

    Args:
        routing: asks the other nodes as well.
        log: for questions that fail.
    """

    def __init__(self, routing: Routing, log: LogLimit) -> None:
        self._loop = asyncio.get_running_loop()
        self._routing = routing
        self._log = log
        self._asking: set[asyncio.Task[None]] = set()

    def on_ask(self, link: Link, ask: LinkQuestion) -> None:
        """Answers a question as soon as the other nodes have."""
        task = self._loop.create_task(self._answer(link, ask))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, link: Link, ask: LinkQuestion) -> None:
        number = ask.number
        try:
            value, missing = await self._routing.ask(ask)
            answer = LinkAnswer(number, value, missing=missing)
        except NotReachedError as error:
            answer = LinkAnswer(number, error=error.seen, is_unanswered=True)
        except LinkFullError as error:
            answer = LinkAnswer(number, error=str(error), is_unanswered=True)
        except (UsageError, RefusedError) as error:
            answer = LinkAnswer(number, error=str(error))
        except Exception as error:
            self._log.exception(error, "the question %s could not be answered", ask.what)
            answer = LinkAnswer(number, error=f"the question {ask.what!r} could not be answered")
        link.post(answer)
