"""The questions to several nodes, and how their answers are merged into one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The question whether other nodes are reached; each node answers it for itself.
BROKER_STATE = "is_broker_connected"


@dataclass(frozen=True, slots=True)
class QuestionKind:
    """One kind of question.

    Attributes:
        merge: makes one answer from those of several nodes.
        is_for_home: whether only the home of the first name can answer.
        is_about_client: whether the first name is a client's id, which names the node to ask.
    """

    merge: Callable[[list[Any]], Any]
    is_for_home: bool = False
    is_about_client: bool = False


def _first(answers: list[Any]) -> Any:
    return next((answer for answer in answers if answer is not None), None)


def _joined(answers: list[Any]) -> list[Any]:
    return [item for answer in answers for item in answer]


def _united(answers: list[Any]) -> list[Any]:
    return list({item for answer in answers for item in answer})


def _mapped(answers: list[Any]) -> dict[Any, Any]:
    return {key: value for answer in answers for key, value in answer.items()}


def _joined_by_name(answers: list[dict[Any, list[Any]]]) -> dict[Any, list[Any]]:
    merged: dict[Any, dict[Any, None]] = {}
    for answer in answers:
        for name, items in answer.items():
            merged.setdefault(name, {}).update(dict.fromkeys(items))
    return {name: list(items) for name, items in merged.items()}


def _added_by_name(answers: list[dict[Any, int]]) -> dict[Any, int]:
    merged: Counter[Any] = Counter()
    for answer in answers:
        merged.update(answer)
    return dict(merged)


QUESTION_KINDS: dict[str, QuestionKind] = {
    "is_online": QuestionKind(any, is_about_client=True),
    "is_uid_online": QuestionKind(any),
    "session": QuestionKind(_first, is_about_client=True),
    "uid_of_client": QuestionKind(_first, is_about_client=True),
    "groups_of_client": QuestionKind(_first, is_about_client=True),
    "clients_of_uid": QuestionKind(_joined),
    "all_clients": QuestionKind(_joined),
    "all_client_count": QuestionKind(sum),
    "all_client_sessions": QuestionKind(_mapped),
    "clients_of_group": QuestionKind(_joined),
    "client_count_of_group": QuestionKind(sum),
    "client_sessions_of_group": QuestionKind(_mapped),
    "uids_of_group": QuestionKind(_united),
    "all_uids": QuestionKind(_united),
    "history": QuestionKind(_first, is_for_home=True),
    "all_groups": QuestionKind(_united),
    "all_clients_by_group": QuestionKind(_joined_by_name),
    "all_client_counts_by_group": QuestionKind(_added_by_name),
    "all_uids_by_group": QuestionKind(_joined_by_name),
    "online_of_uids": QuestionKind(_united),
    "clients_of_uids": QuestionKind(_joined_by_name),
    "client_counts_of_groups": QuestionKind(_added_by_name),
}
