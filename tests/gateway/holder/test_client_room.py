"""A worker is answered when what it has sent to a client has left."""

from __future__ import annotations

from gateway.peers import worker
from kit.gateway import Said, System
from lineman.gateway.wire.messages import AskRoom, HasRoom


def test_the_answer_waits_for_a_client_that_does_not_read(system: System) -> None:
    node = system.add_node("on_message")
    peer = worker(system)
    slow = system.connect()
    slow.send("a")
    number = peer.wait_for(Said).number
    (client,) = node.orders.clients.values()
    peer.say(AskRoom(number))
    assert peer.wait_for(HasRoom).number == number
    system.call(client.connection.send, b"x" * 900_000)
    while not client.connection.unsent:
        system.call(client.connection.send, b"x" * 100_000)
    peer.say(AskRoom(number))
    peer.say(AskRoom(number + 1000))
    waiting = node._room._waiting
    system.wait_until(lambda: len(waiting) == 1, "it waits")
    while waiting:
        slow.receive_bytes()
    assert peer.wait_for(HasRoom).number == number
