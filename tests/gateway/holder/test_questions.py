"""How one node answers what is asked about its own clients, users and groups."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.gateway.holder.group_histories import Histories
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.orders import Orders
from lineman.gateway.holder.questions import answer_of
from lineman.gateway.wire.messages import Bind, Join, LinkQuestion, SetSession
from lineman.gateway.wire.session_data import encode_session


@pytest.fixture
def orders() -> Orders:
    """Anna with two clients, of which one is in a room and has a session, and a stranger."""
    made = Orders("node", lambda client: None)
    for number, name in enumerate(("anna1", "anna2", "stranger")):
        connection: Any = SimpleNamespace(id=number)
        made.let_in(HeldClient(name, connection))
    made.carry_out(Bind("anna1", "anna"))
    made.carry_out(Bind("anna2", "anna"))
    made.carry_out(Join("anna1", "room"))
    made.carry_out(SetSession("anna1", encode_session({"a": 1})))
    return made


@pytest.mark.parametrize(
    ("what", "names", "answer"),
    [
        ("is_online", ("anna1",), True),
        ("is_online", ("nobody",), False),
        ("is_uid_online", ("anna",), True),
        ("is_uid_online", ("bert",), False),
        ("session", ("anna1",), {"a": 1}),
        ("session", ("nobody",), None),
        ("uid_of_client", ("anna2",), "anna"),
        ("uid_of_client", ("stranger",), None),
        ("groups_of_client", ("anna1",), ["room"]),
        ("groups_of_client", ("anna2",), []),
        ("all_client_count", (), 3),
        ("client_count_of_group", ("room",), 1),
        ("client_sessions_of_group", ("room",), {"anna1": {"a": 1}}),
        ("uids_of_group", ("room",), ["anna"]),
        ("all_uids", (), ["anna"]),
        ("all_groups", (), ["room"]),
        ("all_clients_by_group", (), {"room": ["anna1"]}),
        ("all_uids_by_group", (), {"room": ["anna"]}),
        ("online_of_uids", ("anna", "bert"), ["anna"]),
        ("client_counts_of_groups", ("room", "empty"), {"room": 1}),
        ("history", ("room", "", "0"), None),  # none is kept
    ],
)
def test_a_node_answers_for_its_own_clients(
    orders: Orders, what: str, names: tuple[str, ...], answer: object
) -> None:
    assert answer_of(orders, LinkQuestion(1, what, names)) == answer


def test_all_clients_of_a_user_are_named(orders: Orders) -> None:
    assert sorted(answer_of(orders, LinkQuestion(1, "clients_of_uid", ("anna",)))) == [
        "anna1",
        "anna2",
    ]


def test_a_kept_history_is_answered_as_plain_data(orders: Orders) -> None:
    orders.histories = Histories(HistoryOptions(), lambda: 1.0)
    epoch = orders.histories.add("room", "x").epoch
    found = answer_of(orders, LinkQuestion(1, "history", ("room", epoch, "0")))
    assert found[:2] == (epoch, 1)
    assert found[3] is True


def test_a_question_that_nobody_knows_is_refused(orders: Orders) -> None:
    with pytest.raises(UsageError, match="there is no question 'weather'"):
        answer_of(orders, LinkQuestion(1, "weather"))
