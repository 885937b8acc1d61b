"""What a business worker knows of its clients, while they send faster than it is told."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Any

import pytest

from kit.gateway import System
from kit.waiting import DEADLINE
from lineman import Client
from lineman.errors import UsageError
from lineman.gateway.wire.messages import Bind
from lineman.gateway.wire.session_data import encode_session


def test_a_session_counts_right_however_fast_its_client_sends(system: System) -> None:
    async def count(client: Client, message: str) -> None:
        client.session["count"] = client.session.get("count", 0) + 1
        await asyncio.sleep(0)
        client.send(str(client.session["count"]))

    system.add_node("on_message")
    system.add_business(on_message=count)
    client = system.connect()
    for _ in range(500):
        client.send("x")
    assert [client.receive() for _ in range(500)] == [str(number + 1) for number in range(500)]


def test_what_a_callback_has_ordered_the_next_one_sees(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        if message == "login":
            client.bind("anna")
            client.join("a")
            client.join("b")
            client.leave("a")
            system.businesses[0].update_session(client.id, {"x": {"y": 1}})
        client.send(f"{client.uid} {sorted(client.groups)} {client.session}")

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("login")
    client.send("next")
    expected = "anna ['b'] {'x': {'y': 1}}"
    assert [client.receive(), client.receive()] == [expected, expected]


def test_a_session_that_is_only_read_undoes_nothing(system: System) -> None:
    seen: list[dict[str, Any]] = []
    go_on = asyncio.Event()

    async def on_message(client: Client, message: str) -> None:
        seen.append(dict(client.session))
        if message == "read":
            client.send("reading")
            await go_on.wait()
        client.send("done")

    node = system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("read")
    assert client.receive() == "reading"
    elsewhere = system.add_business()
    (client_id,) = node.orders.clients
    system.call(elsewhere.update_session, client_id, {"a": 1})
    while system.ask(elsewhere.get_session(client_id)) != {"a": 1}:
        pass
    system.call(go_on.set)
    assert client.receive() == "done"
    client.send("again")
    assert client.receive() == "done"
    assert seen == [{}, {"a": 1}]
    assert system.ask(elsewhere.get_session(client_id)) == {"a": 1}


def test_what_others_change_meanwhile_arrives_after_ones_own(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        if message.startswith("in"):
            client.join(message)
        client.send(" ".join(sorted(client.groups)))

    node = system.add_node("on_message")
    system.add_business(on_message=on_message)
    elsewhere = system.add_business()
    client = system.connect()
    client.send("in0")
    assert client.receive() == "in0"
    (client_id,) = node.orders.clients
    for number in range(1, 100):
        client.send(f"in{number}")
        system.call(elsewhere.join_group, client_id, f"other{number}")
    for _ in range(1, 100):
        client.receive()
    wanted = {f"in{number}" for number in range(100)} | {
        f"other{number}" for number in range(1, 100)
    }
    for _ in range(200):  # whatever crossed is told again
        client.send("which")
        last = set(str(client.receive()).split())
        if last == wanted:
            break
    assert last == wanted


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


@pytest.mark.parametrize(
    ("session", "seen"),
    [
        ({"at": datetime.datetime(2026, 1, 1)}, "is a datetime"),
        ({"at": {"a": [datetime.date(2026, 1, 1)]}}, "is a date"),
        ({1: "one"}, "1 is a key and no text"),
        ({"a": {2: "two"}}, "2 is a key and no text"),
        ({"a": {"a set"}}, "is a set"),
    ],
)
def test_a_session_takes_only_what_comes_back_as_it_was(session: Any, seen: str) -> None:
    with pytest.raises(UsageError, match=seen):
        encode_session(session)
