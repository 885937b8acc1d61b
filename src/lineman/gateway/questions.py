"""What can be asked about clients, users and groups; how one node answers, how answers add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import astuple, dataclass
from typing import Any

from lineman.gateway.client import HeldClient
from lineman.gateway.orders import Orders
from lineman.gateway.session import decode_session

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuestionKind:
    """One kind of question.

    Attributes:
        answer: what one node says, of its own clients.
        merge: makes one answer of those of several nodes.
        is_for_home: whether only the home of the first name knows.
        is_about_client: whether the name is a client's id, which says who knows.
    """

    answer: Callable[[Orders, Names], Any]
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


def _session(client: HeldClient) -> Any:
    return decode_session(client.session)


def _sessions(clients: Iterable[HeldClient]) -> dict[str, Any]:
    return {client.id: _session(client) for client in clients}


def _named(orders: Orders, names: Names) -> HeldClient | None:
    return orders.clients.get(names[0])


def _history(orders: Orders, names: Names) -> Any:
    if orders.histories is None:
        return None
    group, epoch, offset = names
    return astuple(orders.histories.since(group, epoch, int(offset)))


def _in_group(orders: Orders, names: Names) -> Iterable[HeldClient]:
    return orders.registry.members_of_group(names[0])


def _groups(orders: Orders) -> list[tuple[str, Collection[HeldClient]]]:
    registry = orders.registry
    return [(group, registry.members_of_group(group)) for group in registry.groups()]


QUESTIONS: dict[str, QuestionKind] = {
    "is_online": QuestionKind(lambda o, n: n[0] in o.clients, any, is_about_client=True),
    "is_uid_online": QuestionKind(lambda o, n: bool(o.registry.members_of_uid(n[0])), any),
    "session": QuestionKind(
        lambda o, n: None if (client := _named(o, n)) is None else _session(client),
        _first,
        is_about_client=True,
    ),
    "uid_of_client": QuestionKind(
        lambda o, n: None if (client := _named(o, n)) is None else client.uid,
        _first,
        is_about_client=True,
    ),
    "groups_of_client": QuestionKind(
        lambda o, n: None if (client := _named(o, n)) is None else sorted(client.groups or ()),
        _first,
        is_about_client=True,
    ),
    "clients_of_uid": QuestionKind(
        lambda o, n: [client.id for client in o.registry.members_of_uid(n[0])], _joined
    ),
    "all_clients": QuestionKind(lambda o, n: list(o.clients), _joined),
    "all_client_count": QuestionKind(lambda o, n: len(o.clients), sum),
    "all_client_sessions": QuestionKind(lambda o, n: _sessions(o.clients.values()), _mapped),
    "clients_of_group": QuestionKind(
        lambda o, n: [client.id for client in _in_group(o, n)], _joined
    ),
    "client_count_of_group": QuestionKind(lambda o, n: len(o.registry.members_of_group(n[0])), sum),
    "client_sessions_of_group": QuestionKind(lambda o, n: _sessions(_in_group(o, n)), _mapped),
    "uids_of_group": QuestionKind(lambda o, n: list(o.registry.uids_of_group(n[0])), _united),
    "all_uids": QuestionKind(lambda o, n: list(o.registry.uids()), _united),
    "history": QuestionKind(_history, _first, is_for_home=True),
    "all_groups": QuestionKind(lambda o, n: list(o.registry.groups()), _united),
    "all_clients_by_group": QuestionKind(
        lambda o, n: {g: [one.id for one in members] for g, members in _groups(o)}, _joined_by_name
    ),
    "all_client_counts_by_group": QuestionKind(
        lambda o, n: {group: len(members) for group, members in _groups(o)}, _added_by_name
    ),
    "all_uids_by_group": QuestionKind(
        lambda o, n: {
            g: list(uids) for g, _ in _groups(o) if (uids := o.registry.uids_of_group(g))
        },
        _joined_by_name,
    ),
    "online_of_uids": QuestionKind(
        lambda o, n: [uid for uid in n if o.registry.members_of_uid(uid)], _united
    ),
    "clients_of_uids": QuestionKind(
        lambda o, n: {
            uid: [client.id for client in members]
            for uid in n
            if (members := o.registry.members_of_uid(uid))
        },
        _joined_by_name,
    ),
    "client_counts_of_groups": QuestionKind(
        lambda o, n: {
            group: len(members) for group in n if (members := o.registry.members_of_group(group))
        },
        _added_by_name,
    ),
}
