"""A gateway process: handshakes, clients and links from their beginning to their end."""

from __future__ import annotations

import socket
from typing import Any

import pytest

import lineman
from gateway.peers import Loud, echo, worker
from kit.gateway import Said, System
from kit.records import message_record
from kit.waiting import DEADLINE
from lineman.cli.commands.status import render
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import LinkPing, new_hello
from lineman.links.records import HEAD, TEXT
from lineman.metrics.families import Book, families
from lineman.process.messages.process_status import ChildStatus, MasterStatus, ProcessReport, Status
from lineman.testing.client import RawClient


def test_a_handshake_is_decided_by_a_business_worker(system: System) -> None:
    def decide(client: lineman.Client, request: Any) -> None:
        if request.query.get("token") != "secret":
            client.reject(401, "who are you?")
        client.session["token"] = True
        client.add_header("X-Seen", "yes")

    def on_message(client: lineman.Client, message: str) -> None:
        client.send(str(client.session["token"]))

    node = system.add_node("on_websocket_connect", "on_message")
    system.add_business(on_websocket_connect=decide, on_message=on_message)
    client = system.connect("/?token=secret")
    client.send("?")
    assert client.receive() == "True"
    refused = RawClient(system.workers[0].port)
    system.clients.append(refused)
    reply = refused.handshake()
    assert (reply.status, reply.text) == (401, "who are you?")
    system.wait_until(lambda: len(node._numbers) == 1, "the refused client is forgotten")


def test_a_closed_client_is_told_and_then_forgotten(system: System) -> None:
    ends: list[tuple[int, str]] = []
    node = system.add_node("on_message", "on_close")
    system.add_business(
        on_message=echo, on_close=lambda client, code, reason: ends.append((code, reason))
    )
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"
    client.send_close(4321, "bye")
    system.wait_until(lambda: ends == [(4321, "bye")], "on_close is called")
    system.wait_until(lambda: not node._numbers, "the client is forgotten")


def test_who_says_hello_twice_is_given_up_with_all_that_it_says(system: System) -> None:
    node = system.add_node("on_message")
    peer = worker(system)
    hello = new_hello(0, slot=0)
    peer.say(hello, hello)
    assert list(peer.hear()) == []
    system.wait_until(lambda: node.dispatch.workers == 0, "it is no worker any more")
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x03abc",
        b"\xff" * 64,
        b"\x00\x00\x00\x05\x91",
        message_record(1, "x")[:-1],
        HEAD.pack(0x84, 1, 1) + b"x",
        HEAD.pack(TEXT, 1 << 31, 1),
    ],
)
def test_garbage_on_a_link_ends_that_link_only(system: System, garbage: bytes) -> None:
    system.add_node("on_message")
    system.add_business(on_message=echo)
    peer = worker(system, 1)
    peer.socket.sendall(garbage)
    peer.socket.shutdown(socket.SHUT_WR)
    assert not [one for one in peer.hear() if not isinstance(one, LinkPing)]
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"


def test_a_worker_that_hangs_is_given_up_and_another_takes_its_clients(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message", redeliver=True, wait_timeout=1.0)
    peer = worker(system)
    client = system.connect()
    client.send("x")
    peer.wait_for(Said)
    system.add_business(on_message=echo)
    assert client.receive() == "x"
    assert node.dispatch.workers == 1
    assert "it hangs" in caplog.text


KNOCK = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_a_handshake_that_died_with_its_worker_is_answered_at_once(system: System) -> None:
    system.add_node("on_websocket_connect")
    peer = worker(system)
    plain = socket.create_connection(("127.0.0.1", system.workers[0].port))
    plain.settimeout(DEADLINE)
    plain.sendall(KNOCK)
    peer.wait_for(messages.HandshakeRequest)
    peer.close()
    assert plain.recv(1000).startswith(b"HTTP/1.1 503")
    plain.close()


def test_a_client_that_vanishes_during_its_handshake_is_forgotten(system: System) -> None:
    node = system.add_node("on_websocket_connect")
    peer = worker(system)
    plain = socket.create_connection(("127.0.0.1", system.workers[0].port))
    plain.sendall(KNOCK)
    peer.wait_for(messages.HandshakeRequest)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    plain.close()
    system.wait_until(
        lambda: not (node._numbers or node._handshakes or node.orders.handshaking),
        "it is forgotten",
    )


def test_two_handshakes_at_the_same_time_pass_no_limit(system: System) -> None:
    limits = {"connections_per_ip": 1, "trusted_proxies": ["127.0.0.1/32"]}
    node = system.add_node("on_websocket_connect", worker_options=limits)
    peer = worker(system)
    told = KNOCK.replace(b"\r\n\r\n", b"\r\nX-Real-IP: 203.0.113.7\r\n\r\n")
    handshaking, refused = (
        socket.create_connection(("127.0.0.1", system.workers[0].port)) for _ in range(2)
    )
    system.peers += [handshaking, refused]
    handshaking.sendall(told)
    request = peer.wait_for(messages.HandshakeRequest)
    refused.sendall(told)
    assert refused.recv(4096).startswith(b"HTTP/1.1 429 ")
    peer.say(messages.Decision(request.number))
    system.wait_until(lambda: len(node.orders.clients) == 1, "one is let in")


def test_what_status_shows_of_a_gateway(system: System) -> None:
    node = system.add_node("on_message", routing=RoutingOptions(Loud))
    api = system.add_business(on_message=echo)
    client = system.connect()
    system.wait_until(lambda: node.orders.clients, "it is there")
    (client_id,) = node.orders.clients
    system.call(api.bind_uid, client_id, "anna")
    system.call(api.join_group, client_id, "room")
    system.call(api.send_to_group, "room", "x")
    assert client.receive() == "x"
    facts = system.call(node.facts)
    assert {name for name, figure in facts.items() if figure == 0} == {
        "gateway_waiting_clients",
        "gateway_dropped_events",
        "gateway_timers",
        "gateway_timers_running",
        "gateway_refused_timers",
        "gateway_dropped_timer_calls",
        "gateway_broker_dropped_messages",
        "gateway_partial_answers",
        "gateway_presence_partial",
        "gateway_broker_refused_messages",
        "gateway_broker_replayed_messages",
        "gateway_broker_late_messages",
        "gateway_missed_messages",
        "gateway_unreached_messages",
        "gateway_unconfirmed_messages",
        "gateway_lost_nodes",
    }
    assert {figure for figure in facts.values() if figure} == {1}
    report = ProcessReport(worker="chat", facts=facts)
    status = Status(MasterStatus(), (ChildStatus("chat", 0, 11, "ready", 0, "", report),))
    assert any("chat #0: gateway clients 1, gateway uids 1" in line for line in render(status, 0.0))
    found = {metric.name: metric for metric in families(status, Book())}
    (sample,) = found["lineman_gateway_broker_connected"].samples
    assert (sample.labels, sample.value) == ({"worker": "chat", "slot": "0"}, 1)


def test_a_step_of_the_clock_that_fails_is_not_the_last(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineman.gateway.holder.node.TICK", 0.02)
    node = system.add_node("on_message")
    steps = []

    def sweep() -> None:
        steps.append(True)
        if len(steps) == 1:
            raise ZeroDivisionError

    monkeypatch.setattr(node.routing, "sweep", sweep)
    system.wait_until(lambda: len(steps) > 1, "it goes on")
    assert "ZeroDivisionError" in str(system.faults.pop())


def test_a_gap_that_no_worker_is_told_of_is_counted(system: System) -> None:
    node = system.add_node("on_message")
    system.call(node._news.on_history_gap, "room", "e1", "e2")
    assert node.dispatch.dropped == 1
