"""Questions from one node to others, and the answers, which large ones give in parts."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, NamedTuple

from lineman.base.loglimit import LogLimit
from lineman.errors import LinemanError, NotReachedError, RefusedError, UsageError
from lineman.gateway.wire.answer_parts import parts_of
from lineman.gateway.wire.merging import QuestionKind
from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion
from lineman.gateway.wire.node_messages import NextPart, NodeAnswer, NodeQuestion, Numbered

logger = logging.getLogger("lineman")

# A large answer may come in parts for so many times the wait for a small one.
PATIENCE = 4
# Parts that one answer may have: with 256 KiB each it is larger than what a link carries.
MAX_PARTS = 1000
# Answers of this node whose next part is awaited.
MAX_UNFINISHED = 100

Answering = Callable[[LinkQuestion], Any]
Tell = Callable[[str, Numbered], None]


class Gathered(NamedTuple):
    """The answer of all nodes together.

    Attributes:
        value: the merged answer.
        missing: the nodes that took no part in it.
    """

    value: Any
    missing: tuple[str, ...] = ()


class Gathering:
    """What has come of the answer to a question.

    Args:
        kind: of the question.
        wanted: the nodes whose answers are wanted.
        loop: the running event loop.

    Attributes:
        merged: the answers and parts until now, merged.
        waits_for: the nodes of which something is still to come.
        missing: those whose answer will not come.
        errors: the reasons that some of them gave.
        next_parts: the number of the part that comes next, by node.
        heard_at: when the last part came.
        over: done when `waits_for` is empty.
    """

    def __init__(
        self, kind: QuestionKind, wanted: Iterable[str], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.add = kind.add
        self.merged = kind.empty()
        self.waits_for = set(wanted)
        self.missing: set[str] = set()
        self.errors: list[LinemanError] = []
        self.next_parts: dict[str, int] = {}
        self.heard_at = loop.time()
        self.over: asyncio.Future[None] = loop.create_future()
        self._settle()

    def take(self, value: Any) -> None:
        """Adds an answer, or a part of one."""
        self.merged = self.add(self.merged, value)

    def end(self, node: str, is_missing: bool, error: LinemanError | None = None) -> None:
        """Nothing more comes of a node."""
        if node not in self.waits_for:
            return
        self.waits_for.discard(node)
        if is_missing:
            self.missing.add(node)
        if error is not None:
            self.errors.append(error)
        self._settle()

    def failure(self, what: str, timeout: float) -> LinemanError:
        """The error of a question that nobody has answered."""
        if self.errors:
            return self.errors[0]
        return NotReachedError(
            f"the question {what!r} got no answer within {timeout:g} s",
            "check that the gateway runs and is not overloaded: lineman status; then ask again",
        )

    def _settle(self) -> None:
        if not self.waits_for and not self.over.done():
            self.over.set_result(None)


class _Unfinished(NamedTuple):
    """An answer of this node, of which one part is there in advance."""

    parts: Iterator[Any]
    part: int
    following: Any
    told_at: float


class NodeQuestions:
    """The questions of one node to others, and its answers to theirs.

    Args:
        node: this node.
        answer: answers for the clients here, or returns what is awaited for that; None in a
            program that holds none.
        tell: sends a message to one node.
        timeout: seconds without an answer, or without its next part, after which none is expected.
    """

    def __init__(self, node: str, answer: Answering | None, tell: Tell, timeout: float) -> None:
        self._node = node
        self._answer = answer
        self._tell = tell
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._log = LogLimit(logger)
        self._last_number = 0
        self._gathering: dict[int, Gathering] = {}
        self._unfinished: dict[tuple[str, int], _Unfinished] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """The number of questions to others that are open."""
        return len(self._gathering)

    # Asking.

    async def gather(
        self, gathering: Gathering, asked: LinkQuestion, publish: Callable[[NodeQuestion], None]
    ) -> None:
        """Adds the answers of other nodes.

        Args:
            gathering: knows whose answers are wanted, and takes them.
            asked: the question.
            publish: sends the question to these nodes; its exceptions are raised here.
        """
        self._last_number += 1
        number = self._last_number
        self._gathering[number] = gathering
        began = self._loop.time()
        try:
            publish(NodeQuestion(self._node, LinkQuestion(number, asked.what, asked.names), True))
            while gathering.waits_for:
                last = min(gathering.heard_at, began + (PATIENCE - 1) * self._timeout)
                left = last + self._timeout - self._loop.time()
                if left <= 0:
                    break
                await asyncio.wait([gathering.over], timeout=left)
        finally:
            del self._gathering[number]
        if silent := sorted(gathering.waits_for):
            gathering.missing.update(silent)
            text = "%s did not answer within %g s: %s"
            kind, who = "questions that were not answered", ", ".join(silent)
            self._log.log(logging.WARNING, kind, text, who, self._timeout, asked.what)

    def leave(self, node: str, was_lost: bool) -> None:
        """A node is gone. If it was lost, it may still hold clients."""
        for gathering in list(self._gathering.values()):
            gathering.end(node, is_missing=was_lost)
        for key in [key for key in self._unfinished if key[0] == node]:
            del self._unfinished[key]

    def on_answer(self, answered: NodeAnswer) -> None:
        """Takes an answer of another node, or a part of it."""
        answer, who = answered.answer, answered.origin
        gathering = self._gathering.get(answer.number)
        if gathering is None or who not in gathering.waits_for:
            return
        if answer.error:
            gathering.end(who, is_missing=True, error=answer.to_error())
            return
        part = gathering.next_parts.get(who, 0)
        if answered.part != part:
            return  # it came twice, or one before it was lost, and then no more are asked for
        gathering.take(answer.value)
        gathering.heard_at = self._loop.time()
        if not answered.has_more:
            gathering.end(who, is_missing=False)
        elif part >= MAX_PARTS:
            seen = f"an answer of node {who} has more than {MAX_PARTS} parts"
            error = RefusedError(seen, "ask for less at a time, for example for one group")
            gathering.end(who, is_missing=True, error=error)
        else:
            gathering.next_parts[who] = part + 1
            self._tell(who, NextPart(self._node, answer.number, part + 1))

    # Answering.

    def on_question(self, asked: NodeQuestion) -> None:
        """Answers another node, for the clients here."""
        if self._answer is None:
            return
        try:
            value = self._answer(asked.ask)
        except UsageError as error:  # the asker may run a newer version
            self._say(asked.origin, LinkAnswer(asked.ask.number, error=str(error)))
            return
        except NotReachedError as error:
            answer = LinkAnswer(asked.ask.number, error=error.seen, is_unanswered=True)
            self._say(asked.origin, answer)
            return
        if inspect.isawaitable(value):
            task = self._loop.create_task(self._await_answer(asked, value))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self._give_answer(asked, value)

    async def _await_answer(self, asked: NodeQuestion, coming: Awaitable[Any]) -> None:
        number = asked.ask.number
        try:
            value = await coming
        except NotReachedError as error:
            answer = LinkAnswer(number, error=error.seen, is_unanswered=True)
        except Exception as error:
            self._log.exception(error, "the question %s could not be answered", asked.ask.what)
            answer = LinkAnswer(number, error="it could not be answered")
        else:
            self._give_answer(asked, value)
            return
        self._say(asked.origin, answer)

    def _give_answer(self, asked: NodeQuestion, value: Any) -> None:
        number = asked.ask.number
        if not asked.takes_parts:
            self._say(asked.origin, LinkAnswer(number, value))
            return
        parts = parts_of(value)
        self._say_part(asked.origin, number, 0, next(parts), parts)

    def on_next_part(self, asked: NextPart) -> None:
        """Another node has the parts before this one."""
        found = self._unfinished.get((asked.origin, asked.question))
        if found is not None and found.part == asked.part:
            del self._unfinished[asked.origin, asked.question]
            self._say_part(asked.origin, asked.question, found.part, found.following, found.parts)

    def _say_part(self, who: str, number: int, part: int, value: Any, parts: Iterator[Any]) -> None:
        has_more = False
        for following in parts:
            has_more = True
            self.sweep()
            now = self._loop.time()
            self._unfinished[who, number] = _Unfinished(parts, part + 1, following, now)
            break
        self._say(who, LinkAnswer(number, value), part, has_more)

    def sweep(self) -> None:
        """Forgets answers that nobody waits for any more, and the oldest of too many."""
        since = self._loop.time() - PATIENCE * self._timeout
        for key, found in list(self._unfinished.items()):
            if found.told_at >= since and len(self._unfinished) < MAX_UNFINISHED:
                return
            del self._unfinished[key]

    def _say(self, who: str, answer: LinkAnswer, part: int = 0, has_more: bool = False) -> None:
        self._tell(who, NodeAnswer(self._node, answer, part, has_more))
