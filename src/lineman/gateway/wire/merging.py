"""The questions to several nodes, and how their answers are merged into one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

# The question whether other nodes are reached; each node answers it for itself.
BROKER_STATE = "is_broker_connected"
# The order to keep a message, as a question: its answer comes when the message is kept.
KEEP = "keep"
# Stands among the missing nodes of an answer if the broker to the others is not reached.
BROKER = "broker"


def _same(merged: Any) -> Any:
    return merged


@dataclass(frozen=True, slots=True)
class QuestionKind:
    """One kind of question. Answers are merged one by one, in the parts in which they come.

    Attributes:
        empty: makes the merged answer of no node.
        add: adds an answer, or a part of one, to the merged ones; returns them.
        finish: makes the answer of all from the merged ones.
        is_for_home: whether only the home of the first name can answer.
        is_about_client: whether the first name is a client's id, which names the node to ask.
    """

    empty: Callable[[], Any]
    add: Callable[[Any, Any], Any]
    finish: Callable[[Any], Any] = _same
    is_for_home: bool = False
    is_about_client: bool = False

    def merge(self, answers: Iterable[Any]) -> Any:
        """The answer of all, from the answers of each."""
        merged = self.empty()
        for answer in answers:
            merged = self.add(merged, answer)
        return self.finish(merged)


def _either(merged: bool, answer: bool) -> bool:
    return merged or answer


def _first(merged: Any, answer: Any) -> Any:
    return answer if merged is None else merged


def _sum(merged: int, answer: int) -> int:
    return merged + answer


def _joined(merged: list[Any], answer: list[Any]) -> list[Any]:
    merged.extend(answer)
    return merged


def _united(merged: set[Any], answer: list[Any]) -> set[Any]:
    merged.update(answer)
    return merged


def _mapped(merged: dict[Any, Any], answer: dict[Any, Any]) -> dict[Any, Any]:
    merged.update(answer)
    return merged


def _joined_by_name(
    merged: dict[Any, list[Any]], answer: dict[Any, list[Any]]
) -> dict[Any, list[Any]]:
    for name, items in answer.items():
        merged.setdefault(name, []).extend(items)
    return merged


def _each_once(merged: dict[Any, list[Any]]) -> dict[Any, list[Any]]:
    return {name: list(dict.fromkeys(items)) for name, items in merged.items()}


def _added_by_name(merged: dict[Any, int], answer: dict[Any, int]) -> dict[Any, int]:
    for name, count in answer.items():
        merged[name] = merged.get(name, 0) + count
    return merged


# A tally is a list of names and numbers: each name counts once, and a number counts others.


def _tallied(merged: list[Any], answer: list[Any]) -> list[Any]:
    count: int = merged[0] if merged else 0
    uids: set[str] = merged[1] if merged else set()
    for each in answer:
        if isinstance(each, str):
            uids.add(each)
        else:
            count += each
    return [count, uids]


def _counted(merged: list[Any]) -> int:
    return merged[0] + len(merged[1]) if merged else 0


def _tallied_by_name(merged: dict[Any, Any], answer: dict[Any, list[Any]]) -> dict[Any, Any]:
    for name, tally in answer.items():
        merged[name] = _tallied(merged.get(name, []), tally)
    return merged


def _counted_by_name(merged: dict[Any, Any]) -> dict[Any, int]:
    return {name: _counted(tally) for name, tally in merged.items()}


def _history(merged: list[Any] | None, answer: Any) -> list[Any] | None:
    """The parts of a page differ in their messages only, which are its third element."""
    if answer is None:
        return merged
    if merged is None:
        return [*answer[:2], list(answer[2]), *answer[3:]]
    merged[2].extend(answer[2])
    return merged


def _none() -> None:
    return None


QUESTION_KINDS: dict[str, QuestionKind] = {
    "is_online": QuestionKind(bool, _either, is_about_client=True),
    "is_uid_online": QuestionKind(bool, _either),
    "session": QuestionKind(_none, _first, is_about_client=True),
    "uid_of_client": QuestionKind(_none, _first, is_about_client=True),
    "groups_of_client": QuestionKind(_none, _first, is_about_client=True),
    "clients_of_uid": QuestionKind(list, _joined),
    "all_clients": QuestionKind(list, _joined),
    "all_client_count": QuestionKind(int, _sum),
    "all_client_sessions": QuestionKind(dict, _mapped),
    "clients_of_group": QuestionKind(list, _joined),
    "client_count_of_group": QuestionKind(int, _sum),
    "client_sessions_of_group": QuestionKind(dict, _mapped),
    "uids_of_group": QuestionKind(set, _united, list),
    "all_uids": QuestionKind(set, _united, list),
    "all_uid_count": QuestionKind(list, _tallied, _counted),
    "uid_count_of_group": QuestionKind(list, _tallied, _counted),
    "all_uid_counts_by_group": QuestionKind(dict, _tallied_by_name, _counted_by_name),
    "is_uid_held": QuestionKind(_none, _first, is_for_home=True),
    "history": QuestionKind(_none, _history, is_for_home=True),
    KEEP: QuestionKind(_none, _first, is_for_home=True),
    "all_groups": QuestionKind(set, _united, list),
    "all_clients_by_group": QuestionKind(dict, _joined_by_name),
    "all_client_counts_by_group": QuestionKind(dict, _added_by_name),
    "all_uids_by_group": QuestionKind(dict, _joined_by_name, _each_once),
    "online_of_uids": QuestionKind(set, _united, list),
    "clients_of_uids": QuestionKind(dict, _joined_by_name),
    "client_counts_of_groups": QuestionKind(dict, _added_by_name),
}
