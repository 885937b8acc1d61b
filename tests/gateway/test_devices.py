"""Clients of text, frame and tcp addresses in a gateway, beside those that speak websockets."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.peers import echo
from kit.device import Device
from kit.gateway import System, routing_by
from lineman import Client
from lineman.errors import UsageError
from lineman.gateway.holder.client_deadlines import GuardOptions
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.testing.certificates import TestCA

PROTOCOLS = ("text", "frame", "tcp")
EVERY = ("on_websocket_connect", "on_connect", "on_message", "on_close")


def at(protocol: str) -> str:
    return f"{protocol}://127.0.0.1:0"


def device_and_browser(system: System, hub: str, protocol: str = "text") -> None:
    """Two nodes: the first for devices, the second for websockets."""
    for address in (at(protocol), at("ws")):
        system.add_node(*EVERY, routing=routing_by(hub), address=address)
    for node in system.nodes:
        cluster = node.routing.cluster
        assert cluster is not None
        system.wait_until(lambda cluster=cluster: len(cluster.nodes) == 2, "they see each other")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_business_worker_serves_a_device_as_it_serves_a_websocket(
    system: System, protocol: str
) -> None:
    told: list[Any] = []

    def on_message(client: Client, message: str | bytes) -> None:
        told.append((client.protocol, client.request, client.remote_ip, message))
        client.send(message)

    system.add_node(*EVERY, address=at(protocol))
    system.add_business(
        on_websocket_connect=lambda client, request: told.append("on_websocket_connect"),
        on_connect=lambda client: told.append("on_connect"),
        on_message=on_message,
        on_close=lambda client, code, reason: told.append(("on_close", code)),
    )
    device = system.attach()
    device.send("21.5 degrees")
    assert device.receive() == b"21.5 degrees"
    device.close()
    system.wait_until(lambda: len(told) == 3, "on_close is called")
    message = "21.5 degrees" if protocol == "text" else b"21.5 degrees"
    assert told == ["on_connect", (protocol, None, "127.0.0.1", message), ("on_close", 1000)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_device_and_a_browser_share_a_user_and_a_group(
    system: System, hub: str, protocol: str
) -> None:
    online: list[str] = []

    def on_message(client: Client, message: str | bytes) -> None:
        client.bind("ada")
        client.join("room 7")
        client.send("in")

    device_and_browser(system, hub, protocol)
    api = system.add_business(
        on_message=on_message,
        on_uid_online=lambda uid: online.append(f"{uid} online"),
        on_uid_offline=lambda uid: online.append(f"{uid} offline"),
    )
    device, browser = system.attach(0), system.connect(node=1)
    for client in (device, browser):
        client.send("ada")
    assert device.receive() == b"in"
    assert browser.receive() == "in"
    assert len(system.ask(api.get_client_id_by_uid("ada"))) == 2
    assert system.ask(api.get_client_id_count_by_group("room 7")) == 2
    for send, to in ((api.send_to_uid, "ada"), (api.send_to_group, "room 7")):
        system.call(send, to, f"to {to}")
        assert device.receive() == f"to {to}".encode()
        assert browser.receive() == f"to {to}"
    browser.close()
    system.wait_until(lambda: not system.nodes[1].orders.clients, "the browser has left")
    assert system.ask(api.is_uid_online("ada"))
    device.close()
    system.wait_until(lambda: len(online) == 2, "the user goes offline")
    assert online == ["ada online", "ada offline"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_gateway_process_holds_devices_and_browsers(system: System, protocol: str) -> None:
    told: list[Any] = []

    def on_message(client: Client, message: str | bytes) -> None:
        request = client.request
        told.append((client.protocol, client.listen_address, request and request.path))
        client.join("room")
        client.send("in")

    node = system.add_node(*EVERY, address=[at("ws"), at(protocol)])
    api = system.add_business(
        on_websocket_connect=lambda client, request: told.append(client.protocol),
        on_message=on_message,
    )
    browser, device = system.connect("/a"), system.attach()
    browser.send("hello")
    assert browser.receive() == "in"
    device.send("hello")
    assert device.receive() == b"in"
    assert told == ["ws", ("ws", at("ws"), "/a"), (protocol, at(protocol), None)]
    system.call(api.send_to_group, "room", "two\nlines")
    system.call(api.send_to_group, "room", "one line")
    assert [browser.receive() for _ in range(2)] == ["two\nlines", "one line"]
    two, one = (
        (b"\0\0\0\x0dtwo\nlines", b"\0\0\0\x0cone line")
        if protocol == "frame"
        else (b"" if protocol == "text" else b"two\nlines", b"one line")
    )
    assert device.receive_bytes(len(two + one)) == two + one
    assert node.orders.delivered == (3 if protocol == "text" else 4)


SENT = "grüße"
RAW = b"\x00\xff"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_text_goes_to_a_device_as_utf_8_and_bytes_go_as_they_are(
    system: System, protocol: str
) -> None:
    def on_message(client: Client, message: str | bytes) -> None:
        for each in (SENT, RAW):
            api.send_to_all(each)
        for each in (SENT, RAW):
            client.send(each)

    system.add_node("on_message", address=at(protocol))
    api = system.add_business(on_message=on_message)
    device = system.attach()
    device.send("go")
    said = [SENT.encode(), RAW, SENT.encode(), RAW]
    if protocol == "tcp":
        assert device.receive_bytes(len(b"".join(said))) == b"".join(said)
    else:
        assert [device.receive() for _ in said] == said


def test_what_a_line_cannot_carry_reaches_all_others_and_is_counted(
    system: System, hub: str, caplog: pytest.LogCaptureFixture
) -> None:
    def on_message(client: Client, message: str) -> None:
        api.send_to_all("two\nlines")
        api.send_to_all("one line")

    device_and_browser(system, hub)
    api = system.add_business(on_message=on_message)
    device, browser = system.attach(0), system.connect(node=1)
    device.send("go")  # its order goes to its own node first, which passes it on
    assert [browser.receive() for _ in range(2)] == ["two\nlines", "one line"]
    assert device.receive() == b"one line"
    service = system.workers[0].service
    assert service is not None
    assert service.send_failures == 1
    (line,) = [one.getMessage() for one in caplog.records if "was not sent" in one.getMessage()]
    assert "one line, and this one has a \\n in it" in line


def test_a_callback_that_sends_two_lines_to_a_device_is_told(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        for wrong in ("a\nb", b"a\nb"):
            for send in (client.send, api.send_to_current_client, client.close):
                with pytest.raises(UsageError, match="is one line"):
                    send(wrong)
        client.send("all three refuse it")

    system.add_node("on_message", address=at("text"))
    api = system.add_business(on_message=on_message)
    device = system.attach()
    device.send("go")
    assert device.receive() == b"all three refuse it"


def test_a_device_is_closed_also_where_its_last_message_cannot_be_sent(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        api.close_client(client.id, "a\nb", 4000, "enough")

    ends: list[Any] = []
    system.add_node("on_message", "on_close", address=at("text"))
    api = system.add_business(
        on_message=on_message, on_close=lambda client, code, reason: ends.append((code, reason))
    )
    device = system.attach()
    device.send("go")
    assert device.rest() == b""
    system.wait_until(lambda: ends, "on_close is called")
    assert ends == [(4000, "enough")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_closed_device_gets_its_last_message_and_no_close_frame(
    system: System, protocol: str
) -> None:
    ends: list[Any] = []
    system.add_node("on_message", "on_close", address=at(protocol))
    system.add_business(
        on_message=lambda client, message: client.close("bye", 4001, "moved"),
        on_close=lambda client, code, reason: ends.append((code, reason)),
    )
    device = system.attach()
    device.send("go")
    framed = {"text": b"bye\n", "frame": b"\0\0\0\7bye", "tcp": b"bye"}
    assert device.rest() == framed[protocol]
    system.wait_until(lambda: ends, "on_close is called")
    assert ends == [(4001, "moved")]


def test_a_silent_device_is_sent_the_ping_data_then_closed(system: System) -> None:
    ends: list[int] = []
    limits = GuardOptions(ping_data="ping", ping_not_response_limit=1, ping_interval=0.01)
    system.add_node("on_close", limits=limits, address=at("text"))
    system.add_business(on_close=lambda client, code, reason: ends.append(code))
    device = system.attach()
    assert device.receive() == b"ping"
    assert device.rest() == b""
    system.wait_until(lambda: ends, "on_close is called")
    assert ends == [1001]


def test_a_device_that_no_user_owns_in_time_is_closed_with_4401(system: System) -> None:
    ends: list[Any] = []
    limits = GuardOptions(authenticate_within=0.01)
    system.add_node("on_close", limits=limits, address=at("text"))
    system.add_business(on_close=lambda client, code, reason: ends.append((code, reason)))
    assert system.attach().rest() == b""
    system.wait_until(lambda: ends, "on_close is called")
    assert ends == [(4401, "not authenticated in time")]


def test_a_silent_device_is_ended_after_its_idle_timeout(system: System) -> None:
    ends: list[Any] = []
    options = {"idle_timeout": 0.05}
    system.add_node("on_close", worker_options=options, address=at("text"))
    system.add_business(on_close=lambda client, code, reason: ends.append((code, reason)))
    assert system.attach().rest() == b""
    system.wait_until(lambda: ends, "on_close is called")
    assert ends == [(1006, "silent for 0.05 s (idle_timeout)")]


@pytest.mark.parametrize("protocol", ["text", "frame"])
def test_a_message_that_is_too_big_costs_its_sender_and_no_other(
    system: System, protocol: str
) -> None:
    options = {"max_message_size": 100}
    system.add_node("on_message", worker_options=options, address=at(protocol))
    system.add_business(on_message=echo)
    bad, good = system.attach(), system.attach()
    bad.send("x" * 101)
    assert bad.rest() == b""
    good.send("x" * 100)
    assert good.receive() == b"x" * 100


def test_a_device_that_does_not_read_is_closed_and_others_go_on(system: System) -> None:
    ends: list[int] = []
    options = {"max_send_buffer_size": 100_000, "close_timeout": 0.1}
    system.add_node("on_message", "on_close", worker_options=options, address=at("text"))
    api = system.add_business(
        on_message=echo, on_close=lambda client, code, reason: ends.append(code)
    )
    slow, good = system.attach(receive_buffer=4096), system.attach()
    for client in (slow, good):
        client.send("hello")
        assert client.receive() == b"hello"
    line = "x" * 1_000_000
    while not ends:
        system.call(api.send_to_all, line)
        assert good.receive() == line.encode()
    assert ends == [1013]
    good.send("still here")
    assert good.receive() == b"still here"


def test_a_device_notices_nothing_when_its_business_worker_is_replaced(system: System) -> None:
    def count(client: Client, message: str) -> None:
        client.session.setdefault("list", []).append(message)
        client.send(",".join([client.protocol, str(client.request), *client.session["list"]]))

    system.add_node("on_message", address=at("text"))
    first = system.add_business(on_message=count)
    device = system.attach()
    device.send("a")
    assert device.receive() == b"text,None,a"
    system.add_business(on_message=count)
    system.run(first.retire(5))
    device.send("b")
    assert device.receive() == b"text,None,a,b"


def test_a_device_gets_what_it_has_missed_when_it_connects_again(system: System) -> None:
    async def on_message(client: Client, message: str) -> None:
        client.join("news")
        epoch, _, offset = message.partition(" ")
        page = await api.get_history("news", epoch, int(offset or 0))
        client.send(f"{page.epoch} {','.join(str(kept.data) for kept in page.missed)}")

    routing = RoutingOptions(history=HistoryOptions())
    system.add_node("on_message", routing=routing, address=at("text"))
    api = system.add_business(on_message=on_message)
    device = system.attach()
    device.send("")
    device.receive()
    system.call(api.publish_to_group, "news", "first")
    got = json.loads(device.receive())
    assert (got["offset"], got["data"]) == (1, "first")
    device.close()
    system.call(api.publish_to_group, "news", "second")
    with system.attach() as again:
        again.send(f"{got['epoch']} {got['offset']}")
        assert again.receive() == f"{got['epoch']} second".encode()


def test_devices_of_a_gateway_speak_tls(system: System, tmp_path: Path) -> None:
    ca = TestCA(tmp_path)
    pair = ca.issue(["localhost"])
    options = {"cert": pair.cert, "key": pair.key}
    system.add_node("on_message", worker_options=options, address=at("text"))
    system.add_business(on_message=lambda client, message: client.send(client.protocol))
    device = system.attach(tls=ssl.create_default_context(cafile=ca.ca_path))
    device.send("hello")
    assert device.receive() == b"text"


def test_devices_of_a_gateway_come_by_a_unix_socket(system: System) -> None:
    path = system.directory / "devices.sock"
    system.add_node("on_message", address=f"frame+unix://{path}")
    system.add_business(on_message=lambda client, message: client.send(client.remote_ip))
    device = Device("frame", path=str(path))
    system.peers.append(device)
    device.send("hello")
    assert device.receive() == b"unix"
