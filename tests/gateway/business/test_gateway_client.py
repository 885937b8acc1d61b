"""Clients that are destroyed, and questions to several nodes at once."""

from __future__ import annotations

from typing import Any

import pytest

from kit.gateway import System, add_two_nodes
from lineman.errors import UsageError
from lineman.gateway.business.gateway_client import Client
from lineman.gateway.push.blocking import GatewayClient


def joined(system: System, *names: str) -> Any:
    """Clients on two nodes in turn, each with a uid of its own, all in a group; and their api."""

    def on_message(client: Client, message: str) -> None:
        client.bind(message)
        client.join("room")
        client.send("in")

    api = system.add_business(on_message=on_message)
    clients = [system.connect(node=number % 2) for number in range(len(names))]
    for client, name in zip(clients, names, strict=True):
        client.send(name)
        assert client.receive() == "in"
    ids = system.ask(api.batch_get_client_id_by_uid(names))
    return api, clients, [ids[name][0] for name in names]


def test_a_destroyed_client_gets_no_close_frame_and_no_other_is_touched(
    system: System, hub: str
) -> None:
    ends: list[tuple[str | None, int, str]] = []
    add_two_nodes(system, hub)
    api, (anna, bert, carl), (anna_id, bert_id, _) = joined(system, "anna", "bert", "carl")
    for node in system.nodes:
        node._events = frozenset({"on_message", "on_close"})
    api._callbacks["on_close"] = lambda client, code, reason: ends.append((client.id, code, reason))
    system.call(api.destroy_client, bert_id)  # on another node than the worker's first link
    bert.assert_ended()
    system.call(api.destroy_client, anna_id)
    anna.assert_ended()
    system.wait_until(lambda: len(ends) == 2, "on_close is called")
    reason = "destroyed by the program"
    assert sorted(ends) == sorted([(anna_id, 1006, reason), (bert_id, 1006, reason)])
    system.call(api.destroy_client, bert_id)  # gone: nothing happens
    system.call(api.send_to_all, "end")
    assert carl.receive() == "end"


def test_a_callback_and_other_programs_destroy_clients(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        if message == "me":
            client.destroy()
        elif message == "current":
            api.destroy_current_client()
        else:
            client.send(client.id)

    system.add_node("on_message")
    api = system.add_business(on_message=on_message)
    with pytest.raises(UsageError, match="in a client's callback only"):
        system.call(api.destroy_current_client)
    for word in ("me", "current"):
        client = system.connect()
        client.send(word)
        client.assert_ended()
    client = system.connect()
    client.send("who?")
    with GatewayClient(f"unix://{system.paths[0]}") as gateway:
        gateway.destroy_client(client.receive())
    client.assert_ended()


def test_a_client_whose_handshake_waits_may_be_dropped_without_an_answer(system: System) -> None:
    node = system.add_node("on_websocket_connect")
    system.add_business(on_websocket_connect=lambda client, request: client.destroy())
    with pytest.raises(Exception, match="ended"):
        system.connect()
    system.wait_until(lambda: not (node._numbers or node.orders.handshaking), "it is forgotten")


def test_what_is_asked_in_bulk_adds_up_over_nodes(system: System, hub: str) -> None:
    add_two_nodes(system, hub)
    # A uid may look like a client's id; all nodes are asked for it nevertheless.
    uid = "0123456789abcdef" * 2
    api, _, ids = joined(system, "anna", uid, "carl")
    everybody = sorted(["anna", uid, "carl"])
    while system.ask(api.get_client_id_count_by_group("room")) < 3:
        pass
    assert system.ask(api.is_uid_online(uid))
    assert system.ask(api.get_client_id_by_uid(uid)) == [ids[1]]
    assert system.ask(api.is_uids_online([uid, "nobody", 7])) == {
        uid: True,
        "nobody": False,
        "7": False,
    }
    asked = system.ask(api.batch_get_client_id_by_uid(["anna", uid, "nobody"]))
    assert asked == {"anna": [ids[0]], uid: [ids[1]], "nobody": []}
    counts = system.ask(api.batch_get_client_id_count_by_group(["room", "none"]))
    assert counts == {"room": 3, "none": 0}
    assert system.ask(api.get_all_group_client_id_count()) == {"room": 3}
    assert system.ask(api.get_all_group_uid_count()) == {"room": 3}
    (clients,) = system.ask(api.get_all_group_client_id_list()).values()
    (uids,) = system.ask(api.get_all_group_uid_list()).values()
    assert (sorted(clients), sorted(uids)) == (sorted(ids), everybody)
    with GatewayClient(f"unix://{system.paths[0]}") as gateway:
        assert gateway.is_uids_online(iter(["anna", "nobody"])) == {"anna": True, "nobody": False}
        assert gateway.batch_get_client_id_by_uid(["carl"]) == {"carl": [ids[2]]}
        assert gateway.batch_get_client_id_count_by_group(["room"]) == {"room": 3}
        assert gateway.get_all_group_client_id_count() == {"room": 3}
        assert sorted(gateway.get_all_group_uid_list()["room"]) == everybody
        assert gateway.get_all_group_uid_count() == {"room": 3}
        assert sorted(gateway.get_all_group_client_id_list()["room"]) == sorted(ids)
