"""The answers of one node to questions about clients, users and groups: for its own clients."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import astuple
from typing import Any

from lineman.errors import UsageError
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.orders import Orders
from lineman.gateway.wire.messages import LinkQuestion
from lineman.gateway.wire.session_data import decode_session

Names = tuple[str, ...]


def answer_of(orders: Orders, asked: LinkQuestion) -> Any:
    """The answer of this node to a question.

    Raises:
        UsageError: there is no such question.
    """
    answer = _ANSWERS.get(asked.what)
    if answer is None:
        raise UsageError(f"there is no question {asked.what!r}")
    return answer(orders, asked.names)


def _session(client: HeldClient) -> Any:
    return decode_session(client.session)


def _sessions(clients: Iterable[HeldClient]) -> dict[str, Any]:
    return {client.id: _session(client) for client in clients}


def _of_client(orders: Orders, names: Names, tell: Callable[[HeldClient], Any]) -> Any:
    client = orders.clients.get(names[0])
    return None if client is None else tell(client)


def _ids(clients: Iterable[HeldClient]) -> list[str]:
    return [client.id for client in clients]


def _by_name(names: Iterable[str], tell: Callable[[str], Any]) -> dict[str, Any]:
    """The answer for each name; names with an empty answer are left out."""
    return {name: found for name in names if (found := tell(name))}


def _history(orders: Orders, names: Names) -> Any:
    if orders.histories is None:
        return None
    group, epoch, offset = names
    return astuple(orders.histories.since(group, epoch, int(offset)))


def _in_group(orders: Orders, names: Names) -> Collection[HeldClient]:
    return orders.registry.members_of_group(names[0])


def _group_ids(orders: Orders) -> Callable[[str], list[str]]:
    return lambda group: _ids(orders.registry.members_of_group(group))


def _group_size(orders: Orders) -> Callable[[str], int]:
    return lambda group: len(orders.registry.members_of_group(group))


# By the name of the question; `merging.py` adds the answers of several nodes up.
_ANSWERS: dict[str, Callable[[Orders, Names], Any]] = {
    "is_online": lambda o, n: n[0] in o.clients,
    "is_uid_online": lambda o, n: o.is_uid_online(n[0]),
    "session": lambda o, n: _of_client(o, n, _session),
    "uid_of_client": lambda o, n: _of_client(o, n, lambda client: client.uid),
    "groups_of_client": lambda o, n: _of_client(o, n, lambda client: sorted(client.groups or ())),
    "clients_of_uid": lambda o, n: _ids(o.registry.members_of_uid(n[0])),
    "all_clients": lambda o, n: list(o.clients),
    "all_client_count": lambda o, n: len(o.clients),
    "all_client_sessions": lambda o, n: _sessions(o.clients.values()),
    "clients_of_group": lambda o, n: _ids(_in_group(o, n)),
    "client_count_of_group": lambda o, n: len(_in_group(o, n)),
    "client_sessions_of_group": lambda o, n: _sessions(_in_group(o, n)),
    "uids_of_group": lambda o, n: list(o.registry.uids_of_group(n[0])),
    "all_uids": lambda o, n: list(o.registry.uids()),
    "all_uid_count": lambda o, n: o.elsewhere.tally(o.registry.uids()),
    "uid_count_of_group": lambda o, n: o.elsewhere.tally(o.registry.uids_of_group(n[0])),
    "all_uid_counts_by_group": lambda o, n: {
        group: o.elsewhere.tally(uids)
        for group in o.registry.groups()
        if (uids := o.registry.uids_of_group(group))
    },
    "history": _history,
    "all_groups": lambda o, n: list(o.registry.groups()),
    "all_clients_by_group": lambda o, n: _by_name(o.registry.groups(), _group_ids(o)),
    "all_client_counts_by_group": lambda o, n: _by_name(o.registry.groups(), _group_size(o)),
    "all_uids_by_group": lambda o, n: _by_name(
        o.registry.groups(), lambda group: list(o.registry.uids_of_group(group))
    ),
    "online_of_uids": lambda o, n: [uid for uid in n if o.is_uid_online(uid)],
    "clients_of_uids": lambda o, n: _by_name(n, lambda uid: _ids(o.registry.members_of_uid(uid))),
    "client_counts_of_groups": lambda o, n: _by_name(n, _group_size(o)),
}
