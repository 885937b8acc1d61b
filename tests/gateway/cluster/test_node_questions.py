"""Questions between two nodes whose messages the test passes on, loses, or repeats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit.waiting import until
from lineman.errors import RefusedError, UsageError
from lineman.gateway.cluster import node_questions
from lineman.gateway.cluster.node_questions import Gathering, NodeQuestions
from lineman.gateway.wire.answer_parts import AT_ONCE
from lineman.gateway.wire.merging import QUESTION_KINDS
from lineman.gateway.wire.messages import LinkAnswer, LinkQuestion
from lineman.gateway.wire.node_messages import NextPart, NodeAnswer, NodeMessage, NodeQuestion

GROUPS = [f"group {number}" for number in range(3 * AT_ONCE)]
PARTS = 4  # of one answer with all of them, which is the last
KIND = QUESTION_KINDS["all_groups"]


class Asking:
    """A node that asks two others; `passes` says how often each message arrives."""

    def __init__(self, timeout: float = 0.2) -> None:
        self.said: list[tuple[str, NodeMessage]] = []
        self.passes: Callable[[str, NodeMessage], int] = lambda who, message: 1
        self.groups: Any = GROUPS
        self.asker = NodeQuestions("a", None, self._tell, timeout)
        self.others = {
            name: NodeQuestions(name, self._answer, self._tell, timeout) for name in ("b", "c")
        }
        self.gathering = Gathering(KIND, self.others, asyncio.get_running_loop())

    def _answer(self, asked: LinkQuestion) -> Any:
        if isinstance(self.groups, Exception):
            raise self.groups
        return self.groups

    def _tell(self, who: str, message: NodeMessage) -> None:
        self.said.append((who, message))
        for _ in range(self.passes(who, message)):
            asyncio.get_running_loop().call_soon(self._arrive, who, message)

    def _arrive(self, who: str, message: NodeMessage) -> None:
        if isinstance(message, NodeAnswer):
            self.asker.on_answer(message)
        elif isinstance(message, NextPart):
            self.others[who].on_next_part(message)

    def ask_all(self, question: NodeQuestion) -> None:
        for other in self.others.values():
            other.on_question(question)

    async def ask(self) -> list[str]:
        await self.asker.gather(self.gathering, LinkQuestion(0, "all_groups"), self.ask_all)
        assert len(self.asker) == 0
        return sorted(KIND.finish(self.gathering.merged))


def run(test: Callable[[Asking], Awaitable[None]]) -> None:
    async def start() -> None:
        await test(Asking())

    asyncio.run(start())


def test_a_large_answer_is_fetched_part_by_part_from_each_node() -> None:
    async def test(asking: Asking) -> None:
        assert await asking.ask() == sorted(GROUPS)
        assert asking.gathering.missing == set()
        numbers = [m.part for _, m in asking.said if isinstance(m, NodeAnswer) and m.origin == "b"]
        assert numbers == [0, 1, 2]
        # One part of each node is on its way at a time.
        kinds = [type(message) for who, message in asking.said if "b" in (who, message.origin)]
        assert kinds == [NodeAnswer, NextPart, NodeAnswer, NextPart, NodeAnswer]
        assert not any(other._unfinished for other in asking.others.values())

    run(test)


def test_parts_that_arrive_twice_count_once() -> None:
    async def test(asking: Asking) -> None:
        asking.passes = lambda who, message: 2
        assert await asking.ask() == sorted(GROUPS)
        assert asking.gathering.missing == set()

    run(test)


@pytest.mark.parametrize("lost", [NodeAnswer, NextPart])
def test_a_node_of_which_a_part_is_lost_is_missing_and_named(
    lost: type[NodeMessage], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def test(asking: Asking) -> None:
        def passes(who: str, message: NodeMessage) -> int:
            is_second = isinstance(message, (NodeAnswer, NextPart)) and message.part == 1
            return not (type(message) is lost and is_second and "b" in (who, message.origin))

        asking.passes = passes
        assert await asking.ask() == sorted(GROUPS)  # c has them too
        assert asking.gathering.missing == {"b"}
        assert "b did not answer within 0.2 s: all_groups" in caplog.text

    run(test)


def test_a_node_that_is_lost_meanwhile_is_missing_and_one_that_has_ended_is_not() -> None:
    async def test(asking: Asking) -> None:
        asking.passes = lambda who, message: not isinstance(message, NodeAnswer)
        asked = asyncio.create_task(asking.ask())
        await until(lambda: len(asking.said) == 2)
        asking.asker.leave("b", was_lost=True)
        asking.asker.leave("c", was_lost=False)
        await asked
        assert asking.gathering.missing == {"b"}

    run(test)


def test_an_answer_of_very_many_parts_is_refused_and_no_more_of_them_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_questions, "MAX_PARTS", 1)

    async def test(asking: Asking) -> None:
        await asking.ask()
        assert asking.gathering.missing == {"b", "c"}
        error = asking.gathering.failure("all_groups", 2.0)
        assert isinstance(error, RefusedError)
        assert "more than 1 parts" in str(error)

    run(test)


def test_the_refusal_of_a_node_is_the_reason() -> None:
    async def test(asking: Asking) -> None:
        asking.groups = UsageError("there is no question 'all_groups'")
        await asking.ask()
        assert asking.gathering.missing == {"b", "c"}
        assert "there is no question" in str(asking.gathering.failure("all_groups", 2.0))

    run(test)


def test_an_asker_of_an_older_version_gets_the_answer_in_one() -> None:
    async def test(asking: Asking) -> None:
        asking.others["b"].on_question(NodeQuestion("a", LinkQuestion(1, "all_groups")))
        assert asking.said == [("a", NodeAnswer("b", LinkAnswer(1, GROUPS)))]

    run(test)


def test_parts_that_nobody_fetches_are_forgotten() -> None:
    async def test(asking: Asking) -> None:
        other = asking.others["b"]
        for number in range(node_questions.MAX_UNFINISHED + 5):
            other.on_question(NodeQuestion("a", LinkQuestion(number, "all_groups"), True))
        assert len(other._unfinished) == node_questions.MAX_UNFINISHED
        other._timeout = -1.0  # as if time had passed
        other.sweep()
        assert not other._unfinished
        other.on_next_part(NextPart("a", 1, 1))  # too late: nothing is said

    run(test)
