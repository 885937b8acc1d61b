"""A node is drained and its clients come back to another one: what is told of their users."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from kit.gateway import System, routing_by
from lineman.gateway.cluster.cluster import ClusterTimes
from lineman.gateway.holder import expected_uids
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.messages import LinkQuestion
from lineman.net.client_drain import ClientDrain
from lineman.protocols.websocket import close as closing
from lineman.testing.client import RawClient

SOON = ClusterTimes(beat=0.1)
USERS = [f"user {number}" for number in range(30)]


class Service:
    """Nodes with users on the first one, and everything that the program is told of them."""

    def __init__(self, system: System, hub: str = "") -> None:
        self.system = system
        self.told: list[tuple[str, bool]] = []
        for _ in range(2 if hub else 1):
            alone = RoutingOptions(tells_users=True)
            routing = replace(routing_by(hub), times=SOON) if hub else alone
            system.add_node("on_message", "on_uid_online", "on_uid_offline", routing=routing)

        def come(client: Any, message: str) -> None:
            client.bind(message)
            client.join("room")
            client.send("in")

        self.api = system.add_business(
            on_message=come,
            on_uid_online=lambda uid: self.told.append((uid, True)),
            on_uid_offline=lambda uid: self.told.append((uid, False)),
        )
        self.clients = {uid: self.enter(uid, 0) for uid in USERS}
        system.wait_until(lambda: len(self.told) == len(USERS), "all are online")
        assert all(is_online for _, is_online in self.told)
        self.told.clear()

    def enter(self, uid: str, node: int) -> RawClient:
        client = self.system.connect(node=node)
        client.send(uid)
        assert client.receive() == "in"
        return client

    def drain(self, seconds: float) -> None:
        """Asks the clients of the first node to come again, and refuses new ones there."""
        service = self.system.workers[0].runtime.service
        assert service is not None

        async def run() -> None:
            await ClientDrain(service, seconds, 1.0, refuses=False).run()

        self.system.run(run())

    def leave(self, uid: str) -> None:
        """A client that is asked to go does so."""
        client = self.clients[uid]
        assert client.receive_close().code == closing.SERVICE_RESTART
        client.send_close(closing.SERVICE_RESTART)
        client.assert_ended()

    def ask(self, question: Any) -> Any:
        return self.system.ask(question)


def test_users_whose_clients_come_to_another_node_are_never_told_or_seen_offline(
    system: System, hub: str
) -> None:
    service = Service(system, hub)
    api = service.api
    draining = threading.Thread(target=service.drain, args=(0.5,))
    draining.start()
    counts, seen = [], set()
    for uid in USERS:
        service.leave(uid)
        seen.add(service.ask(api.is_uid_online(uid)))  # while it is nowhere
        seen |= set(service.ask(api.is_uids_online(USERS)).values())
        counts.append(service.ask(api.get_uid_count_by_group("room")))
        service.clients[uid] = service.enter(uid, 1)
        seen.add(service.ask(api.is_uid_online(uid)))
    draining.join()
    assert seen == {True}
    assert service.ask(api.get_all_uid_count()) == len(USERS)
    assert service.ask(api.get_uid_count_by_group("room")) == len(USERS)
    assert max(counts) <= len(USERS), "nobody is counted twice"
    system.run(system.workers[0].stop(1))
    system.run(system.nodes[0].routing.stop())
    staying = system.nodes[1].routing
    system.wait_until(lambda: staying.cluster and len(staying.cluster.nodes) == 1, "it is gone")
    count = system.run(staying.ask(LinkQuestion(1, "all_uid_count", ())))
    assert count.value == len(USERS)
    for uid in USERS:
        service.clients[uid].close()
    system.wait_until(lambda: len(service.told) >= len(USERS), "now they are gone")
    assert sorted(service.told) == sorted((uid, False) for uid in USERS), "and that is all"


def test_a_user_that_does_not_come_back_is_offline_once_the_time_is_over(
    system: System, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_uids, "RETURN", 0.5)
    service = Service(system, hub)
    service.drain(0.0)
    for uid in USERS:
        service.leave(uid)
    for uid in USERS[1:]:
        service.clients[uid] = service.enter(uid, 1)
    system.wait_until(lambda: service.told, "one is told")
    assert service.told == [(USERS[0], False)]
    assert service.ask(service.api.is_uid_online(USERS[0])) is False
    system.call(system.nodes[0].routing.sweep)
    assert service.told == [(USERS[0], False)]


def test_a_node_that_ends_alone_tells_of_users_that_it_expects(system: System) -> None:
    service = Service(system)
    service.drain(0.0)
    for uid in USERS:
        service.leave(uid)
    assert service.ask(service.api.is_uid_online(USERS[0])) is True
    assert service.told == []
    system.run(system.nodes[0].routing.stop())
    system.wait_until(lambda: len(service.told) == len(USERS), "they are told")
    assert set(service.told) == {(uid, False) for uid in USERS}


def test_a_client_that_leaves_by_itself_is_offline_at_once(system: System, hub: str) -> None:
    service = Service(system, hub)
    service.clients[USERS[0]].send_close()
    system.wait_until(lambda: service.told, "it is told")
    assert service.told == [(USERS[0], False)]
