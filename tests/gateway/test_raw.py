"""Raw sends and destroyed clients: what goes to a client without being a message, or ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.sync.client import connect

from gateway.support import System, add_two_nodes
from lineman import Client
from lineman.errors import UsageError
from lineman.gateway import messages
from lineman.gateway.blocking import GatewayClient
from lineman.gateway.messages import Send
from lineman.gateway.pushing import AsyncGatewayClient
from lineman.gateway.raw import to_frames
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.messages import Ping

TEXT = frames.encode(frames.TEXT, b"hello")
PING = frames.encode(frames.PING, b"here?")
IN_PARTS = (
    frames.encode(frames.BINARY, b"in ", 0) + PING + frames.encode(frames.CONTINUATION, b"parts")
)


@pytest.mark.parametrize("whole", [TEXT, PING, IN_PARTS, IN_PARTS + TEXT, b"\x81\x00"])
def test_whole_frames_are_taken_as_they_are(whole: bytes) -> None:
    assert to_frames(whole) == whole
    assert to_frames(bytearray(whole)) == whole
    assert to_frames(memoryview(whole)) == whole


@pytest.mark.parametrize("cut", range(len(IN_PARTS)))
def test_frames_that_are_cut_anywhere_are_refused(cut: int) -> None:
    with pytest.raises(UsageError, match="raw bytes"):
        to_frames(IN_PARTS[:cut])


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("hello", "give bytes that are whole websocket frames, got str"),
        (b"", "0 raw bytes are no frame"),
        (b"hello", "no frames that every client can take: reserved bits"),
        (frames.encode_masked(frames.TEXT, b"x", b"abcd"), "masked by a server"),
        (frames.encode(frames.TEXT, b"x", frames.FIN | frames.RSV1), "reserved bits are set"),
        (frames.encode(frames.TEXT, b"\xff"), "not UTF-8"),
        (frames.encode(0x3, b"x"), "reserved opcode"),
        (frames.encode(frames.CONTINUATION, b"x"), "continuation of a message that never began"),
        (frames.encode(frames.TEXT, b"x", 0) + TEXT, "before the last one was finished"),
        (frames.encode(frames.PING, b"x" * 126), "control frame of more than 125 bytes"),
        (TEXT + frames.encode(frames.CLOSE, b"\x03\xe8"), "use close_client"),
        (b"\x81\x7e\x00\x01x", "not in its shortest form"),
    ],
)
def test_what_would_spoil_a_stream_is_refused_where_it_is_given(given: Any, seen: str) -> None:
    with pytest.raises(UsageError, match=seen):
        to_frames(given)


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


def test_raw_frames_go_to_clients_users_groups_and_all_with_the_same_exclusions(
    system: System, hub: str
) -> None:
    add_two_nodes(system, hub)
    api, (anna, bert, carl), (anna_id, bert_id, _) = joined(system, "anna", "bert", "carl")

    def send_all() -> None:
        api.send_to_client(bert_id, TEXT, raw=True)
        api.send_to_uid(["anna", "bert"], IN_PARTS, raw=True)
        api.send_to_group("room", TEXT, exclude=anna_id, raw=True)
        api.send_to_all(PING, exclude=[anna_id, bert_id], raw=True)
        api.send_to_all(TEXT, clients=[anna_id, bert_id], exclude=bert_id, raw=True)
        api.send_to_all("end")

    system.call(send_all)
    ping = Ping(b"here?")
    assert [anna.receive() for _ in range(4)] == [ping, b"in parts", "hello", "end"]
    assert [bert.receive() for _ in range(5)] == ["hello", ping, b"in parts", "hello", "end"]
    assert [carl.receive() for _ in range(3)] == ["hello", ping, "end"]


def test_a_callback_sends_raw_frames_in_order_also_where_clients_compress(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        client.send("first " * 100)
        client.send(TEXT, raw=True)
        api.send_to_current_client(TEXT, raw=True)
        client.send("last " * 100)
        with pytest.raises(UsageError, match="no frames"):
            client.send(b"hello", raw=True)

    system.add_node("on_message")
    api = system.add_business(on_message=on_message)
    expected = ["first " * 100, "hello", "hello", "last " * 100]
    client = system.connect()
    client.send("x")
    assert [client.receive() for _ in range(4)] == expected
    with connect(f"ws://127.0.0.1:{system.workers[0].port}") as compressed:
        assert compressed.protocol.extensions
        for _ in range(2):  # the second time with what the first has left in the window
            compressed.send("x")
            assert [compressed.recv(20) for _ in range(4)] == expected


def test_programs_push_raw_frames_and_are_told_what_is_none(system: System) -> None:
    system.add_node("on_message")
    address = f"unix://{system.paths[0]}"
    client = system.connect()
    system.wait_until(lambda: system.nodes[0].orders.clients, "it is there")

    async def push() -> None:
        async with AsyncGatewayClient(address) as gateway:
            gateway.send_to_all(TEXT, raw=True)
            with pytest.raises(UsageError, match="no frames"):
                gateway.send_to_all(b"hello", raw=True)

    asyncio.run(push())
    with GatewayClient(address) as gateway:
        gateway.send_to_all(TEXT, raw=True)
        with pytest.raises(UsageError, match="within a frame"):
            gateway.send_to_all(TEXT[:-1], raw=True)
    assert [client.receive(), client.receive()] == ["hello", "hello"]


def test_a_gateway_process_checks_raw_frames_that_others_have_not(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")
    client = system.connect()
    system.wait_until(lambda: node.orders.clients, "it is there")
    for data in (TEXT[:-1], "text", None, 5):
        with pytest.raises(UsageError, match="raw"):
            system.call(node.routing.obey, Send(data, is_to_all=True, is_raw=True))
    system.call(node.routing.obey, Send("end", is_to_all=True))
    assert client.receive() == "end"


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


def test_a_client_that_knocks_may_be_dropped_without_an_answer(system: System) -> None:
    node = system.add_node("on_websocket_connect")
    system.add_business(on_websocket_connect=lambda client, request: client.destroy())
    with pytest.raises(Exception, match="ended"):
        system.connect()
    system.wait_until(lambda: not (node._numbers or node.orders.knocking), "it is forgotten")


def test_what_is_asked_in_bulk_adds_up_over_nodes(system: System, hub: str) -> None:
    add_two_nodes(system, hub)
    # A uid may look like a client's id, and is asked of all nodes all the same.
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


def test_a_message_of_an_older_program_is_no_raw_one() -> None:
    old = messages.encode(Send("x", uids=("a",)))[:-1]  # fields that came later are left out
    old = bytes([old[0] - 1]) + old[1:]
    found = messages.TO_GATEWAY.decode(old)
    assert found == Send("x", uids=("a",))
