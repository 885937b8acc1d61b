"""Questions by number: each ends exactly once, in every way, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lineman.base.open_questions import OpenQuestion, OpenQuestions
from lineman.errors import LinkFullError, NotReachedError, RefusedError


class Asker:
    """Asks questions, and records how they ended."""

    def __init__(self) -> None:
        self.questions: OpenQuestions[str] = OpenQuestions()
        self.over: list[dict[str, Any]] = []

    def ask(self, *asked: str, deadline: float = 10.0, number: int = 0) -> int:
        return self.questions.open(asked, self._on_over, deadline, number)

    def _on_over(self, question: OpenQuestion[str]) -> None:
        self.over.append(question.answers)


def test_a_question_is_over_when_all_have_answered_or_left() -> None:
    asker = Asker()
    first, second = asker.ask("a", "b"), asker.ask("b", "c")
    assert first != second
    asker.questions.answer(first, "a", 1)
    assert not asker.over
    asker.questions.leave("b")
    assert asker.over == [{"a": 1}]
    asker.questions.fail(second, "c", RefusedError("no", "ask another"))
    assert asker.over == [{"a": 1}, {}]
    assert len(asker.questions) == 0


def test_a_question_to_nobody_is_over_at_once() -> None:
    asker = Asker()
    asker.ask()
    assert (asker.over, len(asker.questions)) == ([{}], 0)


def test_what_was_not_asked_for_is_thrown_away() -> None:
    asker = Asker()
    number = asker.ask("a", "b")
    for who, value in (("c", 1), ("a", 2), ("a", 3)):  # not asked, an answer, another one
        asker.questions.answer(number, who, value)
    asker.questions.answer(number + 1, "b", 4)
    asker.questions.answer(number, "b", 5)
    asker.questions.answer(number, "b", 6)  # it is over
    assert asker.over == [{"a": 2, "b": 5}]


def test_deadlines_end_what_waits_with_the_answers_that_there_are() -> None:
    asker = Asker()
    early, late = asker.ask("a", "b", deadline=1.0), asker.ask("a", deadline=2.0)
    asker.questions.answer(early, "b", 7)
    assert asker.questions.next_deadline() == 1.0
    asker.questions.expire(0.9)
    assert not asker.over
    asker.questions.expire(1.0)
    assert (asker.over, asker.questions.next_deadline()) == ([{"b": 7}], 2.0)
    asker.questions.cancel(late)
    asker.questions.expire(3.0)
    assert len(asker.over) == 1
    assert asker.questions.next_deadline() is None


def test_a_number_may_be_given() -> None:
    asker = Asker()
    assert asker.ask("a", number=77) == 77
    assert 77 in asker.questions
    with pytest.raises(ValueError, match="the question 77 is open already"):
        asker.ask("b", number=77)
    asker.questions.answer(77, "a", None)
    assert asker.over == [{"a": None}]


def ask(
    questions: OpenQuestions[str], *asked: str, say: Any = lambda number: None, timeout: float = 20
) -> Any:
    """A task that asks in an event loop."""
    loop = asyncio.get_running_loop()
    return loop.create_task(questions.ask(loop, asked, say, timeout, "is_online"))


def test_answers_come_back_to_who_asked_and_nothing_is_left() -> None:
    async def run() -> None:
        questions: OpenQuestions[str] = OpenQuestions()
        said: list[int] = []
        one, both = ask(questions, "a", say=said.append), ask(questions, "a", "b", say=said.append)
        await asyncio.sleep(0)
        assert len(questions) == len(set(said)) == 2
        questions.answer(said[1], "a", 2)
        questions.answer(said[0], "a", 1)
        questions.leave("b")
        assert (await one, await both) == ({"a": 1}, {"a": 2})
        assert len(questions) == 0

    asyncio.run(run())


def test_each_way_without_an_answer_is_one_exception_and_leaves_nothing() -> None:
    async def run() -> None:
        questions: OpenQuestions[str] = OpenQuestions()

        def full(number: int) -> None:
            raise LinkFullError("64 MiB wait")

        def answered(what: Any) -> Any:
            return ask(questions, "a", "b", say=lambda number: what(number))

        with pytest.raises(NotReachedError, match=r"got no answer within 0\.01 s; fix: "):
            await ask(questions, "a", timeout=0.01)
        with pytest.raises(NotReachedError, match="before the end of the connection"):
            await answered(lambda _: (questions.leave("a"), questions.leave("b")))
        with pytest.raises(RefusedError, match="not that"):
            await answered(
                lambda number: (
                    questions.fail(number, "b", RefusedError("not that", "ask for something else")),
                    questions.leave("a"),
                )
            )
        with pytest.raises(LinkFullError):
            await ask(questions, "a", say=full)
        cancelled = ask(questions, "a")
        await asyncio.sleep(0)
        cancelled.cancel()
        questions.leave("a")  # in the same turn: the task has not ended yet
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert len(questions) == 0
        found = answered(lambda number: (questions.answer(number, "a", 1), questions.leave("b")))
        assert await found == {"a": 1}

    asyncio.run(run())
