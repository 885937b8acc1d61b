"""What must not take others along: bad messages, hanging workers, clients that vanish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kit.gateway import Said, System, said_on
from kit.records import done_record, message_record
from kit.waiting import DEADLINE
from lineman import Client
from lineman.brokers.base import Broker
from lineman.cli.commands.status import render
from lineman.errors import UsageError
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.routing import RoutingOptions
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import Hello, LinkAnswer, LinkPing, Send
from lineman.gateway.wire.node_messages import NodeBeat, NodeQuestion, Relay
from lineman.links.framing import encode, encode_frames
from lineman.links.records import HEAD, TEXT
from lineman.metrics.families import Book, families
from lineman.process.messages.process_status import ChildStatus, MasterStatus, ProcessReport, Status


def echo(client: Client, message: str | bytes) -> None:
    client.send(message)


class Peer:
    """Something that speaks to a gateway process by hand."""

    def __init__(self, system: System) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(system.paths[0])
        self._stream = self.socket.makefile("rb")
        self._heard = self._hear()
        system.peers.append(self)

    def say(self, *batch: messages.Message) -> None:
        self.socket.sendall(b"".join(encode_frames(list(batch))[0]))

    def close(self) -> None:
        """Closes the connection."""
        self._stream.close()
        self.socket.close()

    def hear(self) -> Iterator[Any]:
        """The messages that come from now on, until the other side closes."""
        return self._heard

    def _hear(self) -> Iterator[Any]:
        with contextlib.suppress(ConnectionResetError):
            yield from said_on(self._stream, messages.TO_BUSINESS)

    def wait_for(self, kind: type) -> Any:
        return next(message for message in self.hear() if isinstance(message, kind))


def worker(system: System, slot: int = 0) -> Peer:
    """A business worker that does nothing by itself."""
    peer = Peer(system)
    peer.say(Hello(messages.VERSION, slot=slot, pid=4711))
    peer.wait_for(Hello)
    return peer


# What programs say.


def test_a_text_that_is_no_unicode_is_refused_where_it_is_sent(system: System) -> None:
    raised: list[Exception] = []

    def on_message(client: Client, message: str) -> None:
        try:
            client.send("\ud800")
        except UsageError as error:
            raised.append(error)
        client.send("after it")

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("x")
    assert client.receive() == "after it"
    assert "UTF-8" in str(raised[0])


@pytest.mark.parametrize("bad", [("reject", "403"), ("reject", 99), ("add_header", "A", 5)])
def test_a_bad_decision_fails_its_client_and_not_the_link(
    system: System, bad: tuple[Any, ...]
) -> None:
    def decide(client: Client, request: Any) -> None:
        if request.path == "/bad":
            getattr(client, bad[0])(*bad[1:])

    system.add_node("on_websocket_connect", "on_message")
    system.add_business(on_websocket_connect=decide, on_message=echo)
    client = system.connect()
    with pytest.raises(Exception, match="500"):
        system.connect("/bad")
    client.send("x")
    assert client.receive() == "x"


def test_a_callback_whose_own_task_was_cancelled_closes_its_client(system: System) -> None:
    async def on_message(client: Client, message: str) -> None:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    node = system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("x")
    assert client.receive_close().code == 1011
    client.close()
    system.wait_until(lambda: not node._numbers, "it is forgotten")


def test_a_history_frame_that_raises_is_logged_and_the_link_stays(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    def frame(*given: Any) -> str:
        raise ZeroDivisionError

    routing = RoutingOptions(history=HistoryOptions(), frame=frame)
    system.add_node("on_message", routing=routing)
    api = system.add_business(on_message=echo)
    system.call(api.publish_to_group, "room", "x")
    client = system.connect()
    client.send("y")
    assert client.receive() == "y"
    assert "ZeroDivisionError" in caplog.text


# What links say.


def test_who_says_hello_twice_is_given_up_with_all_that_it_says(system: System) -> None:
    node = system.add_node("on_message")
    peer = worker(system)
    hello = Hello(messages.VERSION, slot=0)
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


def test_who_is_no_worker_may_not_say_records(system: System) -> None:
    system.add_node("on_message")
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"
    peer = Peer(system)
    peer.say(Hello(messages.VERSION, pid=4711))
    peer.wait_for(Hello)
    peer.socket.sendall(message_record(1, "from a stranger"))
    assert list(peer.hear()) == []
    client.send("y")
    assert client.receive() == "y"


def test_a_text_that_is_no_utf8_reaches_no_client_and_ends_its_link(system: System) -> None:
    system.add_node("on_message")
    peer = worker(system)
    client = system.connect()
    client.send("x")
    number, _ = peer.wait_for(Said)
    good = message_record(number, "gr\u00fc\u00df dich")
    peer.socket.sendall(good + HEAD.pack(TEXT, 2, number) + b"\xc3\x28")
    assert client.receive() == "gr\u00fc\u00df dich"
    assert not [one for one in peer.hear() if not isinstance(one, LinkPing)]
    system.add_business(on_message=echo)
    client.send("y")
    assert client.receive() == "y"


def test_records_about_clients_that_nobody_knows_do_nothing(system: System) -> None:
    system.add_node("on_message")
    peer = worker(system)
    client = system.connect()
    client.send("x")
    number, _ = peer.wait_for(Said)
    strangers = [message_record(99, "x"), done_record(99, 1), message_record(2**64 - 1, "x")]
    peer.socket.sendall(b"".join([*strangers, done_record(number, 1000)]))
    peer.socket.sendall(message_record(number, "still here"))
    assert client.receive() == "still here"


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


def test_what_workers_die_of_is_given_to_three_and_no_more(system: System) -> None:
    node = system.add_node("on_message", redeliver=True)
    client = system.connect()
    client.send("deadly")
    for _ in range(3):
        peer = worker(system)
        assert peer.wait_for(Said).data == "deadly"
        peer.close()
    assert client.receive_close().code == 1012
    assert node.dispatch.dropped == 1


def test_a_client_whose_arrival_died_with_its_worker_is_sent_away(system: System) -> None:
    system.add_node("on_connect", "on_message")
    peer = worker(system)
    client = system.connect()
    peer.wait_for(messages.Opened)
    peer.close()
    assert client.receive_close().code == 1012


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


KNOCK = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


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
        "gateway_broker_dropped_messages",
    }
    assert {figure for figure in facts.values() if figure} == {1}
    report = ProcessReport(worker="chat", facts=facts)
    status = Status(MasterStatus(), (ChildStatus("chat", 0, 11, "ready", 0, "", report),))
    assert any("chat #0: gateway clients 1, gateway uids 1" in line for line in render(status, 0.0))
    found = {metric.name: metric for metric in families(status, Book())}
    (sample,) = found["lineman_gateway_broker_connected"].samples
    assert (sample.labels, sample.value) == ({"worker": "chat", "slot": "0"}, 1)


def test_a_worker_that_reads_nothing_holds_up_its_own_clients_only(system: System) -> None:
    node = system.add_node("on_message")
    peer = worker(system)
    stuck = [system.connect() for _ in range(40)]
    for client in stuck:
        client.send(b"x" * 200_000)
        client.send(b"x" * 200_000)
        client.send(b"y")
    system.wait_until(
        lambda: any(link.is_clogged for link in node.dispatch.links), "the link is full"
    )
    (link,) = node.dispatch.links
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("z")
    assert client.receive() == "z"
    assert len(link._drained) <= 1, "one callback for a link, not one for each event"
    peer.close()


# What a broker says.


class Loud(Broker):
    """A broker whose messages the test writes; it is there at once."""

    async def start(self) -> None:
        self._enter(True)

    def publish(self, topic: str, payload: bytes) -> None:
        pass

    def subscribe(self, topics: Any) -> None:
        pass

    def unsubscribe(self, topics: Any) -> None:
        pass

    async def close(self) -> None:
        self._end()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\xfd",
        encode(NodeBeat("x" * 100_000)),
        encode(NodeBeat("not hex!")),
        encode(Relay("0" * 8, 0, Send(12345, is_to_all=True))),
        encode(NodeQuestion("0" * 8, messages.LinkQuestion(1, "history", ("g", "e", "no number")))),
        encode(NodeQuestion("0" * 8, messages.LinkQuestion(1, "session", ()))),
        encode(LinkAnswer(1, "an answer is no message between nodes")),
    ],
    ids=range(8),
)
def test_garbage_from_a_broker_is_logged_and_harms_nobody(
    system: System, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    node = system.add_node("on_message", routing=RoutingOptions(Loud, history=HistoryOptions()))
    system.add_business(on_message=echo)
    cluster = node.routing.cluster
    assert cluster is not None
    system.call(cluster.broker._on_message, "nodes", data)
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"
    assert cluster.nodes == [node.name]
    assert "topic 'nodes'" in caplog.text or "node 00000000" in caplog.text
