"""What can be asked about clients, users and groups; how one node answers, how answers add up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from typing import Any

from lineman.gateway.client import Client
from lineman.gateway.orders import Orders
from lineman.gateway.session import decode_session

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of question.

    Attributes:
        answer: what one node says, of its own clients.
        merge: makes one answer of those of several nodes.
        is_for_home: whether only the home of the first name knows.
    """

    answer: Callable[[Orders, Names], Any]
    merge: Callable[[list[Any]], Any]
    is_for_home: bool = False


def _first(answers: list[Any]) -> Any:
    return next((answer for answer in answers if answer is not None), None)


def _joined(answers: list[Any]) -> list[Any]:
    return [item for answer in answers for item in answer]


def _united(answers: list[Any]) -> list[Any]:
    return list({item for answer in answers for item in answer})


def _mapped(answers: list[Any]) -> dict[Any, Any]:
    return {key: value for answer in answers for key, value in answer.items()}


def _session(client: Client) -> Any:
    return decode_session(client.session)


def _sessions(clients: Iterable[Client]) -> dict[str, Any]:
    return {client.id: _session(client) for client in clients}


def _named(orders: Orders, names: Names) -> Client | None:
    return orders.clients.get(names[0])


def _history(orders: Orders, names: Names) -> Any:
    if orders.histories is None:
        return None
    group, epoch, offset = names
    return astuple(orders.histories.since(group, epoch, int(offset)))


def _in_group(orders: Orders, names: Names) -> Iterable[Client]:
    return orders.registry.members_of_group(names[0])


QUESTIONS: dict[str, Question] = {
    "is_online": Question(lambda o, n: n[0] in o.clients, any),
    "is_uid_online": Question(lambda o, n: bool(o.registry.members_of_uid(n[0])), any),
    "session": Question(
        lambda o, n: None if (client := _named(o, n)) is None else _session(client), _first
    ),
    "uid_of_client": Question(
        lambda o, n: None if (client := _named(o, n)) is None else client.uid, _first
    ),
    "groups_of_client": Question(
        lambda o, n: None if (client := _named(o, n)) is None else sorted(client.groups or ()),
        _first,
    ),
    "clients_of_uid": Question(
        lambda o, n: [client.id for client in o.registry.members_of_uid(n[0])], _joined
    ),
    "all_clients": Question(lambda o, n: list(o.clients), _joined),
    "all_client_count": Question(lambda o, n: len(o.clients), sum),
    "all_client_sessions": Question(lambda o, n: _sessions(o.clients.values()), _mapped),
    "clients_of_group": Question(lambda o, n: [client.id for client in _in_group(o, n)], _joined),
    "client_count_of_group": Question(lambda o, n: len(o.registry.members_of_group(n[0])), sum),
    "client_sessions_of_group": Question(lambda o, n: _sessions(_in_group(o, n)), _mapped),
    "uids_of_group": Question(lambda o, n: list(o.registry.uids_of_group(n[0])), _united),
    "all_uids": Question(lambda o, n: list(o.registry.uids()), _united),
    "history": Question(_history, _first, is_for_home=True),
    "all_groups": Question(lambda o, n: list(o.registry.groups()), _united),
}
