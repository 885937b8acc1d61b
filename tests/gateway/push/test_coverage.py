"""What a program learns of answers in which gateway processes are missing."""

from __future__ import annotations

import asyncio

import pytest

from lineman import Answers, NotReachedError, UsageError
from lineman.gateway.push.coverage import note_missing


def test_the_missing_of_all_answers_in_a_block_are_named_and_of_none_outside() -> None:
    note_missing("all_groups", ("before",))
    with Answers() as answers:
        note_missing("all_groups", ())
        assert not answers.is_partial
        assert repr(answers) == "<Answers complete>"
        note_missing("all_groups", ("a", "b"))
        note_missing("all_uids", ("b", "broker"))
    note_missing("all_groups", ("after",))
    assert answers.is_partial
    assert answers.missing == {"a", "b", "broker"}
    assert repr(answers) == "<Answers partial, without a, b, broker>"


def test_who_wants_complete_answers_only_gets_an_exception() -> None:
    with Answers(complete=True) as answers:
        note_missing("all_groups", ())
        with pytest.raises(NotReachedError, match="'all_groups' is partial, without a, b"):
            note_missing("all_groups", ("a", "b"))
    assert answers.is_partial
    note_missing("all_groups", ("a",))


def test_an_outer_block_knows_what_an_inner_one_knows() -> None:
    with Answers(complete=True) as outer, Answers() as inner, pytest.raises(NotReachedError):
        note_missing("all_groups", ("a",))
    assert outer.missing == inner.missing == {"a"}


def test_tasks_that_a_block_begins_belong_to_it_and_others_do_not() -> None:
    async def ask(who: str) -> None:
        await asyncio.sleep(0)
        note_missing("all_groups", (who,))

    async def test() -> None:
        other = asyncio.create_task(ask("of another task"))
        with Answers() as answers:
            await asyncio.gather(ask("a"), ask("b"))
            await other
        assert answers.missing == {"a", "b"}

    asyncio.run(test())


def test_a_block_is_used_once_and_its_choice_is_true_or_false() -> None:
    with Answers() as answers, pytest.raises(UsageError, match="collected already"):
        answers.__enter__()
    with pytest.raises(UsageError, match=r"complete is 'raise'; it is True or False"):
        Answers(complete="raise")  # type: ignore[arg-type]
