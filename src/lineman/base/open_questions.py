"""Questions that are not over yet, by their numbers: whoever asks whom, and over whatever line.

Here it is known who has not answered, and what the others have said. Nothing here says a question,
or hears an answer: that is for who asks. Nor is there a clock.
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
        waits_for: those who were asked and have not answered.
        answers: what the others have said, by who said it.
        errors: of those from whom no answer comes, and who said why.
        on_over: called with it when nobody is waited for any more.
        deadline: when nobody is waited for any more, by the clock of who asks.
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
    """The questions of one who asks, of one or of several at a time.

    What comes for a question that is over, or from somebody who was not asked, is thrown away.
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
        """Begins a question; it is over at once where nobody is asked.

        Args:
            asked: who is to answer.
            on_over: called once, when all have answered, failed or left, or it is too late.
            deadline: see `expire`.
            number: of the question, where something else has given it one; 0 for a new one.

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
        """Somebody has answered."""
        question = self._open.get(number)
        if question is not None and who in question.waits_for:
            question.answers[who] = value
            self._wait_no_more(number, question, who)

    def fail(self, number: int, who: K, error: LinemanError) -> None:
        """From somebody no answer comes, and the reason is known."""
        question = self._open.get(number)
        if question is not None and who in question.waits_for:
            question.errors.append(error)
            self._wait_no_more(number, question, who)

    def leave(self, who: K) -> None:
        """Somebody is gone and answers nothing any more."""
        for number, question in list(self._open.items()):
            self._wait_no_more(number, question, who)

    def end(self, number: int) -> None:
        """It is too late for a question: it is over with the answers that there are."""
        question = self._open.get(number)
        if question is not None:
            question.waits_for.clear()
            self._end_if_over(number)

    def cancel(self, number: int) -> None:
        """Forgets a question that nobody wants an answer to any more."""
        self._open.pop(number, None)

    def expire(self, now: float) -> None:
        """Ends the questions whose deadline is over."""
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
        """Asks in an event loop. However it ends, nothing of the question is left.

        Args:
            loop: the one that runs.
            asked: who is to answer.
            say: says the question, with its number; what it raises, `LinkFullError` as a rule, is
                what this raises.
            timeout: seconds.
            what: is asked, for the error.
            number: see `open`.

        Returns:
            The answers that came in time, one at least, by who gave them.

        Raises:
            LinemanError: nobody has answered, and somebody's error is known; see `fail`.
            NotReachedError: nobody has answered in time, or all who were asked are gone.
        """
        over: Future[OpenQuestion[K]] = loop.create_future()
        is_late = False

        def on_over(question: OpenQuestion[K]) -> None:
            if not over.done():  # a task that is cancelled has not come to its `finally` yet
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
            f"nobody answered the question {what!r} {why}",
            "see that the gateway runs and is not overloaded: lineman status; then ask again",
        )
