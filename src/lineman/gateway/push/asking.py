"""How a question is asked over a link: by a business worker, and by a program that only pushes."""

from __future__ import annotations

import asyncio
from typing import Any

from lineman.base.open_questions import OpenQuestions
from lineman.gateway.push.coverage import note_missing
from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion
from lineman.links.link import Link


async def ask_by_link(
    questions: OpenQuestions[Link], link: Link, what: str, about: tuple[str, ...], timeout: float
) -> Any:
    """The answer of the gateway process at the other end of a link.

    Args:
        questions: the asker's questions; it learns of answers (`take_answer`) and of ended links.
        link: the link to the gateway process.
        what: the name of the question.
        about: clients, uids or groups.
        timeout: seconds.

    Raises:
        NotReachedError: it does not answer in time, or reports that no process that could know
            the answer replies; or the answer is partial, and only complete ones are wanted.
        RefusedError: it refuses the question, and says why.
        LinkFullError: it reads too slowly; the question was not sent.
    """

    def say(number: int) -> None:
        link.check_room()
        link.post(LinkQuestion(number, what, about))

    loop = asyncio.get_running_loop()
    value, missing = (await questions.ask(loop, (link,), say, timeout, what))[link]
    note_missing(what, missing)
    return value


def take_answer(questions: OpenQuestions[Link], link: Link, answer: LinkAnswer) -> None:
    """Takes the answer of a gateway process."""
    if answer.error:
        questions.fail(answer.number, link, answer.to_error())
    else:
        questions.answer(answer.number, link, (answer.value, answer.missing))
