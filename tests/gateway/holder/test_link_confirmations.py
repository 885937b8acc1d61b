"""When a gateway process says that it has handled what came on a link."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.peers import Loud, Peer, worker
from kit.gateway import System
from lineman.gateway.holder.routing import RoutingOptions
from lineman.gateway.wire.messages import Hello, LinkConfirm, LinkPing, Send, new_hello
from lineman.gateway.wire.versions import CONFIRMED_SINCE
from lineman.links.framing import encode_frames


def size_of(*said: Any) -> int:
    """The bytes of messages that are each said by themselves."""
    return sum(len(encode_frames([one])[0][0]) for one in said)


def handled(peer: Peer, upto: int) -> list[int]:
    """What is confirmed, until all is."""
    found: list[int] = []
    while not found or found[-1] < upto:
        found.append(peer.wait_for(LinkConfirm).handled)
    return found


def test_one_confirmation_is_for_all_that_came_within_its_time(system: System) -> None:
    system.add_node("on_message")
    peer = worker(system)
    hello, order = new_hello(4711, slot=0), Send("x", uids=("anna",))
    for _ in range(200):
        peer.say(order)
    confirmed = handled(peer, size_of(hello) + 200 * size_of(order))
    assert confirmed == sorted(set(confirmed))
    assert confirmed[-1] == size_of(hello) + 200 * size_of(order)
    assert len(confirmed) < 20


def test_a_message_that_is_not_complete_is_not_confirmed(system: System) -> None:
    system.add_node("on_message")
    peer = worker(system)
    order = Send("x" * 100, uids=("anna",))
    frame = encode_frames([order])[0][0]
    peer.socket.sendall(frame + frame[:50])
    whole = size_of(new_hello(4711, slot=0), order)
    assert handled(peer, whole)[-1] == whole
    peer.socket.sendall(frame[50:])
    assert handled(peer, whole + len(frame))[-1] == whole + len(frame)


def test_what_the_broker_has_not_taken_is_not_confirmed(system: System) -> None:
    class Slow(Loud):
        """A broker that has what it is given as soon as the test says so."""

        is_slow = True

        def publish(self, topic: str, payload: bytes) -> None:
            self.taken += 1

        @property
        def settled(self) -> int:
            return 0 if self.is_slow else self.taken

    brokers: list[Slow] = []

    def make(subscriber: Any) -> Slow:
        brokers.append(Slow(subscriber))
        return brokers[-1]

    node = system.add_node("on_message", routing=RoutingOptions(make))
    peer = worker(system)
    peer.say(Send("x", uids=("anna",)))
    cluster = node.routing.cluster
    assert cluster is not None
    system.wait_until(lambda: cluster.channel.sent.last, "it was published")
    heard = []
    while not heard or not isinstance(heard[-1], LinkPing):  # within a second it is asked
        heard.append(next(iter(peer.hear())))
    (link,) = node.links
    system.call(lambda: node._confirmations._look())
    assert not any(isinstance(one, LinkConfirm) for one in heard)
    assert not link.unsent
    brokers[0].is_slow = False
    sent = size_of(new_hello(4711, slot=0), Send("x", uids=("anna",)))
    assert handled(peer, sent)[-1] >= sent


@pytest.mark.parametrize("newest", [0, CONFIRMED_SINCE - 1])
def test_an_end_of_an_older_version_hears_no_confirmation(system: System, newest: int) -> None:
    node = system.add_node("on_message")
    peer = Peer(system)
    peer.say(Hello(4, slot=0, newest=newest), Send("x", uids=("anna",)))
    peer.wait_for(Hello)
    (link,) = node.links
    assert link.handled
    assert link.on_handled is None


def test_a_process_that_stops_confirms_what_it_has_sent(system: System) -> None:
    node = system.add_node("on_message")
    peer = worker(system)
    order = Send("x", uids=("anna",))
    peer.say(order)
    sent = size_of(new_hello(4711, slot=0), order)
    (link,) = node.links
    system.wait_until(lambda: link.handled == sent, "it is handled")
    system.run(node.stop())
    assert handled(peer, sent)[-1] == sent
