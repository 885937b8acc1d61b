"""Several gateway processes with one broker, and programs that push to them."""

from __future__ import annotations

import json
from pathlib import Path

import lineman
from kit.gateway import System, add_two_nodes
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.wire.history_page import KeptMessage


def test_two_nodes_with_one_broker_are_one_service(system: System, hub: str) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        client.bind(message)
        client.join("room")
        client.send("in")

    add_two_nodes(system, hub)
    api = system.add_business(on_message=on_message)
    anna, bert = system.connect(node=0), system.connect(node=1)
    for client, name in ((anna, "anna"), (bert, "bert")):
        client.send(name)
        assert client.receive() == "in"
    assert sorted(system.ask(api.get_uid_list_by_group("room"))) == ["anna", "bert"]
    assert system.ask(api.get_all_client_count()) == 2
    (bert_id,) = system.ask(api.get_client_id_by_uid("bert"))
    assert system.ask(api.is_online(bert_id))
    system.call(api.send_to_uid, ["anna", "bert"], "both")
    system.call(api.send_to_group, "room", "room")
    system.call(api.send_to_all, "all")
    system.call(api.send_to_client, bert_id, "bert")
    assert [anna.receive() for _ in range(3)] == ["both", "room", "all"]
    assert [bert.receive() for _ in range(4)] == ["both", "room", "all", "bert"]
    system.call(api.update_session, bert_id, {"a": {"b": 1}})
    system.call(api.update_session, bert_id, {"a": {"c": 2}})
    assert system.ask(api.get_session(bert_id)) == {"a": {"b": 1, "c": 2}}
    system.call(api.close_client, bert_id, code=4000, reason="enough")
    assert bert.receive_close().code == 4000


def test_sockets_are_in_no_ones_way(system: System, tmp_path: Path) -> None:
    system.add_node("on_message")
    assert (tmp_path / "node-0.sock").stat().st_mode & 0o777 == 0o600


def test_a_user_comes_and_goes_once_however_many_clients_and_nodes_he_is_on(
    system: System, hub: str
) -> None:
    told: list[tuple[str, str]] = []
    add_two_nodes(system, hub, tells_users=True)
    system.add_business(
        on_message=lambda client, message: client.bind(message),
        on_uid_online=lambda uid: told.append(("online", uid)),
        on_uid_offline=lambda uid: told.append(("offline", uid)),
    )
    here, there = system.connect(node=0), system.connect(node=1)
    here.send("anna")
    system.wait_until(lambda: told == [("online", "anna")], "she is online")
    there.send("anna")
    api = system.businesses[0]
    while len(system.ask(api.get_client_id_by_uid("anna"))) < 2:
        pass
    here.send_close()
    while len(system.ask(api.get_client_id_by_uid("anna"))) > 1:
        pass
    assert told == [("online", "anna")]
    there.send_close()
    system.wait_until(lambda: told[1:] == [("offline", "anna")], "she is offline")


def test_who_was_away_gets_what_was_published_from_whichever_node(system: System, hub: str) -> None:
    add_two_nodes(system, hub, history=HistoryOptions())
    api = system.add_business(on_message=lambda client, message: client.join(message))
    here, there = system.connect(node=0), system.connect(node=1)
    for client in (here, there):
        client.send("room")
    while system.ask(api.get_client_id_count_by_group("room")) < 2:
        pass
    for number in range(3):
        system.call(api.publish_to_group, "room", f"m{number}")
    seen = [json.loads(here.receive()) for _ in range(3)]
    assert seen == [json.loads(there.receive()) for _ in range(3)]
    assert [one["data"] for one in seen] == ["m0", "m1", "m2"]
    page = system.ask(api.get_history("room", seen[0]["epoch"], seen[0]["offset"]))
    assert page.is_complete
    assert page.missed == [KeptMessage(2, "m1"), KeptMessage(3, "m2")]
    assert not system.ask(api.get_history("room", "another", 1)).is_complete
