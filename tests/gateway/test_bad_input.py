"""Invalid input from clients and programs, and its effects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lineman.gateway
from kit.gateway import System
from lineman import Client, Gateway
from lineman.errors import ConfigError, UsageError


@pytest.mark.parametrize("name", ["", "a/b", "../chat", "a\0b", "a\n", "ä" * 51])
def test_a_name_that_no_socket_can_have_is_refused_at_once(name: str) -> None:
    with pytest.raises(ConfigError, match='without "/", such as "chat"') as caught:
        Gateway("ws://127.0.0.1:0", name=name)
    assert "\n" not in str(caught.value)
    assert name not in Gateway.all_names


def test_a_name_of_a_hundred_bytes_is_taken() -> None:
    assert Gateway("ws://127.0.0.1:0", name="ä" * 50).name == "ä" * 50


@pytest.mark.parametrize("uid", ["Anna Bo", "a\nb\r\n", "\x00", " ", "*", ">", "a.b", "ä" * 128])
def test_a_uid_may_be_any_text_and_reaches_its_own_user_only(
    system: System, hub: str, uid: str
) -> None:
    system.add_node("on_message")
    api = system.add_business(on_message=lambda client, message: client.bind(message))
    anna, other = system.connect(), system.connect()
    anna.send(uid)
    other.send(uid + "x" if len(uid) < 100 else "x")
    while len(system.ask(api.get_all_uid_list())) < 2:
        pass
    system.call(api.send_to_uid, uid, "hello")
    system.call(api.send_to_all, "end")
    assert [anna.receive(), anna.receive(), other.receive()] == ["hello", "end", "end"]


def test_a_uid_of_a_megabyte_closes_its_client_and_no_other(system: System) -> None:
    errors: list[str] = []

    def on_message(client: Client, message: str) -> None:
        try:
            client.bind(message)
        except UsageError as error:
            errors.append(str(error))
            raise
        client.send("bound")

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    greedy, other = system.connect(), system.connect()
    greedy.send("x" * (1 << 20))
    assert greedy.receive_close().code == 1011
    assert len(errors[0]) < 200
    other.send("y")
    assert other.receive() == "bound"


def test_one_stuck_reader_in_a_group_holds_up_nobody(system: System) -> None:
    system.add_node("on_message")
    api = system.add_business(on_message=lambda client, message: client.join("room"))
    stuck, quick = system.connect(), system.connect()
    for client in (stuck, quick):
        client.send("join")
    while system.ask(api.get_client_id_count_by_group("room")) < 2:
        pass
    text = "x" * 100_000
    for _ in range(100):  # 10 MB: more than a socket and a client's buffer hold
        system.call(api.send_to_group, "room", text)
        assert quick.receive() == text
    clients = system.nodes[0].orders.clients
    system.wait_until(
        lambda: sum(client.connection.is_open for client in clients.values()) == 1,
        "the stuck one is being closed",
    )


def test_clocks_may_jump_for_only_one_that_goes_forward_is_asked() -> None:
    package = Path(lineman.gateway.__file__).parents[1]
    rooms = ("gateway", "brokers", "links")
    paths = [path for room in rooms for path in (package / room).rglob("*.py")]
    # Several machines have no other time in common; it asks once, when the process starts.
    paths.remove(package / "brokers" / "cluster_clock.py")
    assert len(paths) > 40
    for path in paths:
        found = re.findall(
            r"\btime\.time\(|datetime\b(?! import tzinfo$)|^import time|from time ",
            path.read_text(),
            re.M,
        )
        assert found == [], f"{path.name} asks a clock that may jump"
