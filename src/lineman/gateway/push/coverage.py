"""Whether every gateway process took part in the answers to a program's questions."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from lineman.errors import NotReachedError, UsageError

_current: ContextVar[Answers | None] = ContextVar("answers", default=None)


class Answers:
    """The answers to the questions that are asked within a `with` block, also by its tasks.

    Args:
        complete: whether a question raises an exception if its answer is partial.

    Attributes:
        missing: the gateway processes that took no part in one of the answers: they did not answer,
            or were lost within the last five minutes, and may still hold clients. `"broker"` stands
            for all others if the broker to them is not reached.
    """

    def __init__(self, complete: bool = False) -> None:
        if not isinstance(complete, bool):
            raise UsageError(f"complete is {complete!r:.40}; it is True or False")
        self._is_complete_wanted = complete
        self._outer: Answers | None = None
        self._token: Token[Answers | None] | None = None
        self.missing: set[str] = set()

    @property
    def is_partial(self) -> bool:
        """Whether some gateway process is missing in one of the answers."""
        return bool(self.missing)

    def __enter__(self) -> Self:
        if self._token is not None:
            raise UsageError("these answers are collected already; call answers() for each block")
        self._outer = _current.get()
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._token is not None
        _current.reset(self._token)

    def __repr__(self) -> str:
        without = ", ".join(sorted(self.missing))
        return f"<Answers partial, without {without}>" if without else "<Answers complete>"

    def _note(self, missing: Iterable[str]) -> bool:
        """Notes who is missing; returns whether a complete answer is wanted."""
        self.missing.update(missing)
        is_wanted = self._outer is not None and self._outer._note(missing)
        return is_wanted or self._is_complete_wanted


def note_missing(what: str, missing: tuple[str, ...]) -> None:
    """Notes that some gateway processes took no part in an answer.

    Raises:
        NotReachedError: the program wants complete answers only.
    """
    answers = _current.get()
    if missing and answers is not None and answers._note(missing):
        raise NotReachedError(
            f"the answer to {what!r} is partial, without {', '.join(missing)}",
            "ask again when they are back, or take partial answers: with gateway.answers()",
        )
