"""Questions over links: each is answered, also where asking the others fails."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from lineman.base.loglimit import LogLimit
from lineman.errors import LinkFullError, NotReachedError, RefusedError, UsageError
from lineman.gateway.holder.link_questions import LinkQuestions
from lineman.gateway.holder.node import logger
from lineman.gateway.holder.routing import Routing
from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion
from lineman.links.link import Link


class Asked:
    """A routing that answers with a value, or fails; and a link that keeps the answer."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.posted: list[Any] = []

    async def ask(self, asked: LinkQuestion) -> Any:
        """The answer."""
        if isinstance(self._found, Exception):
            raise self._found
        return self._found

    def post(self, message: Any) -> None:
        """Keeps an answer."""
        self.posted.append(message)


def answer_to(found: Any) -> Any:
    asked = Asked(found)

    async def story() -> None:
        questions = LinkQuestions(cast(Routing, asked), LogLimit(logger))
        questions.on_ask(cast(Link, asked), LinkQuestion(7, "all_clients"))
        while not asked.posted:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(story(), 30))
    (answer,) = asked.posted
    return answer


def test_an_answer_names_who_is_missing_in_it() -> None:
    assert answer_to((["a"], ("b" * 8,))) == LinkAnswer(7, ["a"], missing=("b" * 8,))


@pytest.mark.parametrize(
    ("error", "words", "is_unanswered"),
    [
        (NotReachedError("node a is gone", "ask again"), "node a is gone", True),
        (LinkFullError("the queue is full"), "the queue is full", True),
        (UsageError("there is no such question"), "there is no such question", False),
        (RefusedError("no", "look"), "no", False),
        (ZeroDivisionError("a bug"), "'all_clients' could not be answered", False),
    ],
)
def test_whatever_fails_is_an_answer(error: Exception, words: str, is_unanswered: bool) -> None:
    answer = answer_to(error)
    assert words in answer.error
    assert answer.is_unanswered is is_unanswered
