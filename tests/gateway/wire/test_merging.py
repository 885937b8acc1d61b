"""The answers of several nodes are merged into one, for every kind of question."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import pytest

from lineman.gateway.holder import questions
from lineman.gateway.push.api import Api
from lineman.gateway.wire.merging import KEEP, QUESTION_KINDS


@pytest.mark.parametrize(
    ("what", "answers", "together"),
    [
        ("is_online", [False, True], True),
        ("is_uid_online", [False, False], False),
        ("session", [None, {"a": 1}], {"a": 1}),
        ("uid_of_client", [None, None], None),
        ("clients_of_uid", [["a"], [], ["b"]], ["a", "b"]),
        ("all_client_count", [2, 0, 3], 5),
        ("all_client_sessions", [{"a": {}}, {"b": {"x": 1}}], {"a": {}, "b": {"x": 1}}),
        ("all_clients_by_group", [{"g": ["a"]}, {"g": ["b"], "h": ["c"]}],
         {"g": ["a", "b"], "h": ["c"]}),
        ("all_uids_by_group", [{"g": ["1"]}, {"g": ["1", "2"]}], {"g": ["1", "2"]}),
        ("all_uid_count", [[2, "anna"], [0, "bert", "anna"], [3]], 7),
        ("uid_count_of_group", [[0, "anna"], ["anna"]], 1),
        ("all_uid_counts_by_group", [{"g": [1, "anna"]}, {"g": [0, "anna"], "h": [2]}],
         {"g": 2, "h": 2}),
        ("history", [("e", 3, [(1, "x")], True), None, ["e", 3, [(2, "y"), (3, "z")], True]],
         ["e", 3, [(1, "x"), (2, "y"), (3, "z")], True]),
        ("client_counts_of_groups", [{"g": 1}, {"g": 2, "h": 1}], {"g": 3, "h": 1}),
    ],
)  # fmt: skip
def test_answers_of_several_nodes_add_up(what: str, answers: list[Any], together: Any) -> None:
    assert QUESTION_KINDS[what].merge(answers) == together


def test_who_is_in_several_answers_is_named_once() -> None:
    assert sorted(QUESTION_KINDS["uids_of_group"].merge([["1", "2"], ["2"]])) == ["1", "2"]


@pytest.mark.parametrize("what", QUESTION_KINDS)
def test_no_answer_at_all_is_an_empty_one(what: str) -> None:
    assert not QUESTION_KINDS[what].merge([])


def test_every_question_that_can_be_asked_is_known_to_who_answers_and_who_adds_up() -> None:
    asked = {
        node.args[0].value
        for node in ast.walk(ast.parse(inspect.getsource(inspect.getmodule(Api))))  # type: ignore[arg-type]
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "_ask"
        and isinstance(node.args[0], ast.Constant)
    }
    others = {"is_uid_held", KEEP}  # of nodes to each other, and of `POST /push`
    assert asked | others == set(QUESTION_KINDS) == set(questions._ANSWERS) | others
