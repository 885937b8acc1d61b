"""Large answers in parts: each fits, and together they are the same."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.gateway.wire.answer_parts import AT_ONCE, PART, parts_of
from lineman.gateway.wire.merging import QUESTION_KINDS
from lineman.links.framing import encode_value

NAMES = [f"group {number}" for number in range(3 * AT_ONCE + 1)]
LONG = ["x" * 256 + str(number) for number in range(2 * AT_ONCE)]
SESSIONS = {f"{number:032x}": {"text": "x" * 1000} for number in range(2000)}
HISTORY = ("epoch", 40, [(number, "x" * 50_000) for number in range(40)], True)


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("all_groups", NAMES),
        ("all_clients", LONG),
        ("all_client_sessions", SESSIONS),
        ("all_clients_by_group", {"few": ["a"], "none": [], "many": LONG, "last": ["b"]}),
        ("all_client_counts_by_group", dict.fromkeys(LONG, 7)),
        ("history", HISTORY),
    ],
)
def test_a_large_answer_comes_in_parts_that_fit_and_are_the_same_together(
    what: str, answer: Any
) -> None:
    parts = list(parts_of(answer))
    assert len(parts) > 1
    assert max(len(encode_value(part)) for part in parts) <= PART
    merged = QUESTION_KINDS[what].merge(parts)
    if isinstance(answer, dict):
        assert merged == answer
    elif isinstance(answer, tuple):
        assert merged == list(answer)
    else:
        assert sorted(merged) == sorted(answer)


@pytest.mark.parametrize(
    "answer", [None, True, 0, 7, [], {}, ["a"], {"a": 1}, ("e", 0, [], True), "x" * (2 * PART)]
)
def test_a_small_answer_is_one_part(answer: Any) -> None:
    assert list(parts_of(answer)) == [answer]


def test_what_cannot_be_divided_is_a_part_by_itself() -> None:
    sessions = {"a": {"x": 1}, "b": {"text": "x" * 100}, "c": {"x": 2}}
    assert list(parts_of(sessions, 50)) == [{"a": {"x": 1}}, {"b": sessions["b"]}, {"c": {"x": 2}}]
    assert list(parts_of(["x" * 60, "y"], 50)) == [["x" * 60], ["y"]]
