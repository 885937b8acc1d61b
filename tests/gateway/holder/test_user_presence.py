"""What nodes need not ask all others, or tell them, since the homes of uids know it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.gateway import System, routing_by
from lineman.brokers.embedded import Publish
from lineman.gateway.cluster.cluster import ClusterTimes
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.routing import Routing
from lineman.gateway.wire.messages import Bind, LinkQuestion, Send
from lineman.gateway.wire.node_messages import BETWEEN_NODES, NodeQuestion

SOON = ClusterTimes(beat=0.2)


class Nodes:
    """Three nodes that know each other, and what passes between them."""

    def __init__(self, system: System, hub: str) -> None:
        self.system = system
        for _ in range(3):
            options = routing_by(hub, tells_users=False)
            system.add_node("on_message", routing=replace(options, times=SOON))
        self.routings = [node.routing for node in system.nodes]
        self.names = [node.name for node in system.nodes]
        self.passed: list[Publish] = []
        assert system.hub is not None
        passes_on = system.hub._pass_on

        def pass_on(message: Publish) -> None:
            self.passed.append(message)
            passes_on(message)

        system.hub._pass_on = pass_on  # type: ignore[method-assign]
        self.wait_until_known()

    def wait_until_known(self) -> None:
        self.system.wait_until(
            lambda: all(
                routing.orders.elsewhere.is_known
                and routing.cluster is not None
                and len(routing.cluster.nodes) == 3
                and not routing.cluster.unheard()
                and routing._users is not None
                and not routing._users.sync._untold
                for routing in self.routings
            ),
            "they know all of each other",
        )

    def bind(self, number: int, uid: str) -> Any:
        """A client of a node, and bound to a uid."""
        held = self.system.nodes[number].orders.clients
        before = set(held)
        client = self.system.connect(node=number)
        self.system.wait_until(lambda: set(held) - before, "it is there")
        (client_id,) = set(held) - before
        self.system.call(self.routings[number].carry_out, Bind(client_id, uid))
        return client

    def uid_at(self, number: int) -> str:
        """A uid whose first home a node is."""
        names = sorted(self.names)
        return next(u for u in map(str, range(99)) if homes_of(u, names)[0] == self.names[number])

    def ask(self, number: int, what: str, *about: str) -> Any:
        return self.system.run(self.routings[number].ask(LinkQuestion(1, what, about)))

    def questions(self) -> list[tuple[str, str]]:
        """Topics and names of the questions that have passed; they are forgotten."""
        passed, self.passed[:] = list(self.passed), []
        found = [(one.topic, BETWEEN_NODES.decode(one.payload)) for one in passed]
        return [(topic, said.ask.what) for topic, said in found if isinstance(said, NodeQuestion)]


@pytest.fixture
def nodes(system: System, hub: str) -> Nodes:
    return Nodes(system, hub)


def is_alone(routing: Routing, uid: str) -> bool:
    return routing.orders.elsewhere.is_here_only(uid)


def test_whether_a_user_is_online_is_asked_of_the_home_alone(nodes: Nodes) -> None:
    uid = nodes.uid_at(1)
    nodes.bind(0, uid)
    nodes.system.wait_until(lambda: is_alone(nodes.routings[0], uid), "its home knows it")
    nodes.questions()
    assert nodes.ask(2, "is_uid_online", uid).value is True
    assert nodes.questions() == [(f"node:{nodes.names[1]}", "is_uid_held")]
    assert nodes.ask(0, "is_uid_online", uid) == (True, ())  # it holds the user itself
    assert nodes.ask(1, "is_uid_online", uid) == (True, ())  # it is the home
    assert nodes.questions() == []
    assert nodes.ask(2, "is_uid_online", "nobody").value is False


def test_all_are_asked_while_the_home_cannot_know(nodes: Nodes) -> None:
    uid = nodes.uid_at(1)
    nodes.bind(0, uid)
    nodes.system.wait_until(lambda: is_alone(nodes.routings[0], uid), "its home knows it")
    users = nodes.routings[1]._users
    assert users is not None
    users.sync._untold.add(nodes.names[2])
    nodes.questions()
    assert nodes.ask(2, "is_uid_online", uid).value is True
    assert nodes.questions() == [
        (f"node:{nodes.names[1]}", "is_uid_held"),
        ("nodes", "is_uid_online"),
    ]


def test_a_message_to_a_user_who_is_on_this_node_only_is_not_published(nodes: Nodes) -> None:
    here = nodes.bind(0, "anna")
    nodes.system.wait_until(lambda: is_alone(nodes.routings[0], "anna"), "she is here only")

    def send(number: int, text: str) -> bool:
        """Whether it was published."""
        nodes.passed.clear()
        nodes.system.call(nodes.routings[number].carry_out, Send(text, uids=("anna",)))
        nodes.ask(number, "all_client_count")  # what was published before has passed now
        return any(one.topic == "uid:anna" for one in nodes.passed)

    assert not send(0, "one")
    assert here.receive() == "one"
    assert send(1, "two")
    assert here.receive() == "two"
    # She comes to another node as well.
    there = nodes.bind(2, "anna")
    nodes.system.wait_until(lambda: not is_alone(nodes.routings[0], "anna"), "the home says so")
    assert send(0, "three")
    assert [here.receive(), there.receive()] == ["three", "three"]
    # Without the broker a message counts as dropped, whoever may be elsewhere.
    broker = nodes.routings[0].cluster.broker  # type: ignore[union-attr]
    nodes.bind(0, "bert")
    nodes.system.wait_until(lambda: is_alone(nodes.routings[0], "bert"), "he is here only")
    assert nodes.system.hub is not None
    nodes.system.run(nodes.system.hub.stop())
    nodes.system.wait_until(lambda: not broker.is_connected, "cut off")
    dropped = broker.dropped
    nodes.system.call(nodes.routings[0].carry_out, Send("x", uids=("bert",)))
    assert broker.dropped == dropped + 1


def test_users_are_counted_once_and_their_names_do_not_cross(nodes: Nodes) -> None:
    for number, uid in enumerate(["anna", "bert", "cora", "anna"]):
        nodes.bind(number % 3, uid)
        client = next(reversed(nodes.system.nodes[number % 3].orders.clients))
        nodes.system.call(nodes.system.nodes[number % 3].orders.registry.join, *(
            nodes.system.nodes[number % 3].orders.clients[client], "room"
        ))  # fmt: skip
    nodes.bind(1, "anna")
    nodes.system.wait_until(
        lambda: not is_alone(nodes.routings[0], "anna") and is_alone(nodes.routings[2], "cora")
        and is_alone(nodes.routings[1], "bert"),
        "the homes have said so",
    )  # fmt: skip
    assert nodes.ask(0, "all_uid_count") == (3, ())
    assert nodes.ask(1, "uid_count_of_group", "room") == (3, ())
    assert nodes.ask(2, "all_uid_counts_by_group") == ({"room": 3}, ())
    own = [routing._answer(LinkQuestion(1, "all_uid_count")) for routing in nodes.routings]
    assert own == [[0, "anna"], [1, "anna"], [1]]


def test_a_uid_of_this_turn_counts_as_held_elsewhere(nodes: Nodes) -> None:
    nodes.bind(0, "anna")
    (client_id,) = nodes.system.nodes[0].orders.clients
    nodes.passed.clear()

    def bind_and_send() -> None:
        nodes.routings[0].carry_out(Bind(client_id, "dora"))
        nodes.routings[0].carry_out(Send("x", uids=("dora",)))

    nodes.system.call(bind_and_send)
    nodes.system.wait_until(
        lambda: any(one.topic == "uid:dora" for one in nodes.passed), "it is published"
    )
