"""GatewayWorker's functions, name by name: each is there, in every form, and in the reference."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from lineman import Client, Gateway
from lineman.gateway.push.api import Api
from lineman.gateway.push.blocking import GatewayClient
from lineman.gateway.push.pushing import AsyncGatewayClient

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "gateway.md"
ORDERS = [
    "send_to_all",
    "send_to_client",
    "send_to_uid",
    "send_to_group",
    "send_to",
    "close_client",
    "destroy_client",
    "bind_uid",
    "unbind_uid",
    "join_group",
    "leave_group",
    "ungroup",
    "set_session",
    "update_session",
]
QUESTIONS = [
    "is_online",
    "is_uid_online",
    "is_uids_online",
    "get_client_id_by_uid",
    "get_uid_by_client_id",
    "batch_get_client_id_by_uid",
    "is_broker_connected",
    "get_session",
    "get_all_client_count",
    "get_all_client_id_list",
    "get_all_client_sessions",
    "get_client_id_count_by_group",
    "get_client_id_list_by_group",
    "get_client_sessions_by_group",
    "batch_get_client_id_count_by_group",
    "get_uid_list_by_group",
    "get_uid_count_by_group",
    "get_all_uid_list",
    "get_all_uid_count",
    "get_all_group_id_list",
    "get_all_group_client_id_list",
    "get_all_group_client_id_count",
    "get_all_group_uid_list",
    "get_all_group_uid_count",
]
CURRENT = ["send_to_current_client", "close_current_client", "destroy_current_client"]


def is_awaited(kind: type, name: str) -> bool:
    return inspect.iscoroutinefunction(getattr(kind, name))


@pytest.mark.parametrize("kind", [Gateway, AsyncGatewayClient, GatewayClient])
def test_orders_need_no_await_and_questions_do_where_there_is_a_loop(kind: type) -> None:
    for name in ORDERS:
        assert not is_awaited(kind, name), name
    for name in QUESTIONS:
        assert is_awaited(kind, name) is (kind is not GatewayClient), name


def test_the_current_client_is_known_in_callbacks_only() -> None:
    for name in CURRENT:
        assert not is_awaited(Gateway, name)
        assert not hasattr(GatewayClient, name)


def test_both_clients_and_the_gateway_take_the_same_arguments() -> None:
    for name in (*ORDERS, *QUESTIONS, "publish_to_group", "get_history"):
        found = {
            tuple(inspect.signature(getattr(kind, name)).parameters)
            for kind in (Gateway, AsyncGatewayClient, GatewayClient)
        }
        assert len(found) == 1, name


def test_the_blocking_client_has_every_question_with_the_same_types_and_words() -> None:
    asked = {
        name: function
        for name, function in vars(Api).items()
        if inspect.iscoroutinefunction(function) and not name.startswith("_")
    }
    assert asked.keys() >= set(QUESTIONS)
    for name, function in asked.items():
        blocking = vars(GatewayClient)[name]
        assert inspect.signature(blocking) == inspect.signature(function), name
        assert (blocking.__doc__, blocking.__name__) == (function.__doc__, name)
        assert blocking.__qualname__ == f"GatewayClient.{name}"


def test_the_reference_gives_every_function_the_arguments_that_it_has() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    found = re.findall(
        r"`(?:await )?(client\.)?([a-z_]+|GatewayClient)\((\w[^`]*|)\)`",
        text[: text.index("## Callbacks")],
    )
    kinds = {"GatewayClient": GatewayClient}
    assert len(found) > 50
    for of_client, name, given in found:
        of = Client if of_client else Gateway
        function = kinds[name] if name in kinds else getattr(of, name)
        parameters = inspect.signature(function).parameters.values()
        words = [
            str(one.replace(annotation=inspect.Parameter.empty)).replace("'", '"')
            for one in parameters
            if one.name != "self"
        ]
        assert given == ", ".join(words), name


def test_the_reference_names_every_function_and_none_that_is_not_there() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    table = text[: text.index("## Callbacks")]
    named = set(re.findall(r"`(?:await )?([a-z][a-z_]+)\(", table))
    public = {name for name in vars(Api) if not name.startswith("_")}
    public |= {name for kind in Api.__mro__[1:2] for name in vars(kind) if not name.startswith("_")}
    assert {*ORDERS, *QUESTIONS, *CURRENT} <= named
    assert public <= named
    assert named <= {name for name in dir(Gateway) if not name.startswith("_")}
