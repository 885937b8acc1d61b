"""What orders do to the clients of a gateway process."""

from __future__ import annotations

import time
from typing import Any

import pytest

import lineman
from kit.gateway import System
from kit.waiting import DEADLINE
from lineman import Client
from lineman.errors import UsageError
from lineman.gateway.wire.messages import Bind


def test_uids_groups_and_exclusions(system: System) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        name, _, group = message.partition("@")
        client.bind(name)
        client.join(group)
        client.send("in")

    system.add_node("on_message")
    api = system.add_business(on_message=on_message)
    anna, anna_too, bert = (system.connect() for _ in range(3))
    for client, text in ((anna, "anna@a"), (anna_too, "anna@b"), (bert, "bert@a")):
        client.send(text)
        assert client.receive() == "in"
    ids = system.ask(api.get_client_id_by_uid("anna"))
    assert len(ids) == 2
    assert system.ask(api.get_uid_by_client_id(ids[0])) == "anna"
    assert sorted(system.ask(api.get_uid_list_by_group("a"))) == ["anna", "bert"]
    assert system.ask(api.get_client_id_count_by_group("a")) == 2
    assert system.ask(api.get_all_client_count()) == 3
    assert system.ask(api.is_uid_online("bert"))
    assert not system.ask(api.is_uid_online("nobody"))
    system.call(api.send_to_uid, "anna", "to anna")
    system.call(api.send_to_group, ["a", "b"], "to both groups")
    system.call(
        api.send_to_all,
        "to all but bert",
        exclude=system.ask(api.get_client_id_by_uid("bert")),
    )
    system.call(api.send_to_group, "a", "end")
    system.call(api.send_to_group, "b", "end")
    expected = ["to anna", "to both groups", "to all but bert", "end"]
    assert [anna.receive() for _ in expected] == expected
    assert [anna_too.receive() for _ in expected] == expected
    assert [bert.receive() for _ in range(2)] == ["to both groups", "end"]


def test_an_update_that_makes_a_session_too_big_is_refused_and_cuts_nothing_off(
    system: System,
) -> None:
    async def on_message(client: Client, message: str) -> None:
        if message == "too big":
            system.businesses[0].update_session(client, {"a": "x" * 40_000})
            with pytest.raises(UsageError, match="the session has 8"):
                system.businesses[0].update_session(client, {"b": "x" * 40_000})
            client.send("refused")
        else:
            client.send(f"{client.uid} {sorted(client.session)}")

    node = system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("too big")
    assert client.receive() == "refused"
    (found,) = node.orders.clients.values()
    system.call(node.routing.carry_out, Bind(found.id, "anna"))  # by somebody else
    deadline = time.monotonic() + DEADLINE
    while True:
        client.send("who")
        if (seen := client.receive()) == "anna ['a']":
            break
        assert time.monotonic() < deadline, seen


def test_what_is_ordered_before_the_client_is_let_in_counts_when_it_is(system: System) -> None:
    def decide(client: Client, request: Any) -> None:
        client.bind("anna")
        client.join("room")
        client.session["name"] = "Anna"
        if request.path == "/out":
            client.reject(403)

    node = system.add_node("on_websocket_connect", "on_message")
    api = system.add_business(
        on_websocket_connect=decide,
        on_message=lambda client, message: client.send(f"{client.uid} {client.session}"),
    )
    client = system.connect()
    client.send("who am I?")
    assert client.receive() == "anna {'name': 'Anna'}"
    assert system.ask(api.get_client_id_count_by_group("room")) == 1
    assert system.ask(api.is_uid_online("anna"))
    client.close()
    system.wait_until(lambda: not node.orders.clients, "it has left")
    with pytest.raises(Exception, match="403"):
        system.connect("/out")
    assert not system.ask(api.is_uid_online("anna"))
    system.wait_until(lambda: not node.orders.handshaking and not node._numbers, "all is forgotten")
