"""A business worker's knowledge of its clients, while they send faster than it is informed."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

from kit.gateway import System
from lineman import Client
from lineman.errors import UsageError
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
