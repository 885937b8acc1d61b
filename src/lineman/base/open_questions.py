"""Questions that wait for answers, by their numbers, for any asker, answerer and connection.

This module knows which sides have not answered yet, and the answers of the others. It neither sends
questions nor receives answers: the asker does that. It has no clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lineman.errors import LinemanError, NotReachedError

if TYPE_CHECKING:
    # A master asks its children without asyncio, which takes 12 ms and 6 MiB to load.
    from asyncio import AbstractEventLoop, Future

K = TypeVar("K", bound=Hashable)


class OpenQuestion(Generic[K]):
    """A question.

    Attributes:
        waits_for: the sides that were asked and have not answered.
        answers: the answers of the others, by side.
        errors: the errors of sides that will not answer.
        on_over: called with the question when it is over.
        deadline: when it is over, by the clock of the asker.
    """

    __slots__ = ("answers", "deadline", "errors", "on_over", "waits_for")

    def __init__(
        self, asked: Iterable[K], on_over: Callable[[OpenQuestion[K]], None], deadline: float
    ) -> None:
        self.waits_for = set(asked)
        self.answers: dict[K, Any] = {}
        self.errors: list[LinemanError] = []
        self.on_over = on_over
        self.deadline = deadline


class OpenQuestions(Generic[K]):
    """The questions of one asker, to one or several sides at a time.

    An answer to a question that is over, or from a side that was not asked, is ignored.
    """

    def __init__(self) -> None:
        self._open: dict[int, OpenQuestion[K]] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, number: int) -> bool:
        return number in self._open

    def open(
        self,
        asked: Iterable[K],
        on_over: Callable[[OpenQuestion[K]], None],
        deadline: float = math.inf,
        number: int = 0,
    ) -> int:
        """Begins a question; it is over at once if no side is asked.

        Args:
            asked: the sides that must answer.
            on_over: called once, when all have answered, failed or left, or it is too late.
            deadline: see `expire`.
            number: of the question, if it already has one; 0 for a new one.

        Returns:
            The number, by which answers say what they answer.

        Raises:
            ValueError: a question with the number that is given is open already.
        """
        if not number:
            self._last += 1
            number = self._last
        if number in self._open:
            raise ValueError(f"the question {number} is open already")
        self._open[number] = OpenQuestion(asked, on_over, deadline)
        self._end_if_over(number)
        return number

    def answer(self, number: int, who: K, value: Any) -> None:
        """Takes the answer of one side."""
        question = self._open.get(number)
        if question is not None and who in question.waits_for:
            question.answers[who] = value
            self._wait_no_more(number, question, who)

    def fail(self, number: int, who: K, error: LinemanError) -> None:
        """One side will not answer, and the reason is known."""
        question = self._open.get(number)
        if question is not None and who in question.waits_for:
            question.errors.append(error)
            self._wait_no_more(number, question, who)

    def leave(self, who: K) -> None:
        """One side has gone and will not answer any more."""
        for number, question in list(self._open.items()):
            self._wait_no_more(number, question, who)

    def end(self, number: int) -> None:
        """It is too late for a question: it is over with the answers that there are."""
        question = self._open.get(number)
        if question is not None:
            question.waits_for.clear()
            self._end_if_over(number)

    def cancel(self, number: int) -> None:
        """Forgets a question whose answer is no longer wanted."""
        self._open.pop(number, None)

    def expire(self, now: float) -> None:
        """Ends the questions whose deadline has passed."""
        for number, question in list(self._open.items()):
            if now >= question.deadline:
                self.end(number)

    def next_deadline(self) -> float | None:
        """When `expire` must be called; None for never."""
        return min((question.deadline for question in self._open.values()), default=None)

    def _wait_no_more(self, number: int, question: OpenQuestion[K], who: K) -> None:
        question.waits_for.discard(who)
        self._end_if_over(number)

    def _end_if_over(self, number: int) -> None:
        question = self._open.get(number)
        if question is not None and not question.waits_for:
            del self._open[number]
            question.on_over(question)

    async def ask(
        self,
        loop: AbstractEventLoop,
        asked: Iterable[K],
        say: Callable[[int], None],
        timeout: float,
        what: str,
        number: int = 0,
    ) -> dict[K, Any]:
        """Asks in an event loop. The question is removed, however it ends.

        Args:
            loop: the running event loop.
            asked: the sides that must answer.
            say: sends the question, with its number; an exception of it, usually `LinkFullError`,
                is raised here.
            timeout: seconds.
            what: the question as text, for the error.
            number: see `open`.

        Returns:
            The answers that came in time, at least one, by side.

        Raises:
            LinemanError: there is no answer, but an error of a side is known; see `fail`.
            NotReachedError: there was no answer in time, or all sides have gone.
        """
        over: Future[OpenQuestion[K]] = loop.create_future()
        is_late = False

        def on_over(question: OpenQuestion[K]) -> None:
            if not over.done():  # a cancelled task may not have reached its `finally` yet
                over.set_result(question)

        def on_late() -> None:
            nonlocal is_late
            is_late = True
            self.end(number)

        number = self.open(asked, on_over, number=number)
        timer = loop.call_later(timeout, on_late)
        try:
            say(number)
            question = await over
        finally:
            timer.cancel()
            self.cancel(number)
        if question.answers:
            return question.answers
        if question.errors:
            raise question.errors[0]
        why = f"within {timeout:g} s" if is_late else "before the end of the connection"
        raise NotReachedError(
            f"the question {what!r} got no answer {why}",
            "check that the gateway runs and is not overloaded: lineman status; then ask again",
        )
