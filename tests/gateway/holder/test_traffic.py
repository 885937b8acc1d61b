"""What clients say and get as records of a link, and records that nobody may say."""

from __future__ import annotations

from gateway.peers import Peer, echo, worker
from kit.gateway import Said, System
from kit.records import done_record, message_record
from lineman.gateway.wire.messages import Hello, LinkPing, new_hello
from lineman.links.records import HEAD, TEXT


def test_who_is_no_worker_may_not_say_records(system: System) -> None:
    system.add_node("on_message")
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"
    peer = Peer(system)
    peer.say(new_hello(4711))
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


def test_a_record_that_a_line_cannot_carry_is_counted_and_the_next_one_arrives(
    system: System,
) -> None:
    system.add_node("on_message", address="text://127.0.0.1:0")
    peer = worker(system)
    device = system.attach()
    device.send("x")
    number, _ = peer.wait_for(Said)
    records = [message_record(number, message) for message in ("a\nb", b"a\nb", "one line")]
    peer.socket.sendall(b"".join(records))
    assert device.receive() == b"one line"
    service = system.workers[0].service
    assert service is not None
    assert service.send_failures == 2
