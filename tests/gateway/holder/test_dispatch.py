"""Which business worker gets a client's events, and what waits meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import lineman
from gateway.peers import echo, worker
from kit.gateway import Said, System
from lineman.gateway.business.business_worker import Business
from lineman.gateway.gateway_options import GatewayOptions, checked_router
from lineman.gateway.wire import messages


def test_what_comes_while_no_worker_is_ready_waits_in_order(system: System) -> None:
    system.add_node("on_message")
    client = system.connect()
    for number in range(200):
        client.send(str(number))
    node = system.nodes[0]
    system.wait_until(lambda: node.dispatch.waiting_clients == 1, "the client waits")
    system.add_business(on_message=echo)
    assert [client.receive() for _ in range(200)] == [str(number) for number in range(200)]
    assert node.dispatch.dropped == 0


def test_a_client_that_waits_too_long_for_a_worker_is_closed_with_a_reason(
    system: System,
) -> None:
    system.add_node("on_message", wait_timeout=0.1)
    client = system.connect()
    client.send("anybody there?")
    close = client.receive_close()
    assert (close.code, close.reason) == (1013, "no worker is ready")


def test_a_worker_that_retires_finishes_what_it_has_and_nothing_is_lost_or_doubled(
    system: System,
) -> None:
    async def slowly(client: lineman.Client, message: str) -> None:
        await asyncio.sleep(0.01)
        client.send(message)

    system.add_node("on_message")
    old = system.add_business(on_message=slowly)
    clients = [system.connect() for _ in range(5)]
    for number in range(50):
        for client in clients:
            client.send(str(number))
    system.add_business(on_message=slowly)
    system.run(old.retire(10))
    for client in clients:
        assert [client.receive() for _ in range(50)] == [str(number) for number in range(50)]


def die(business: Business) -> None:
    """Ends all links as the kernel does when a process is killed."""
    business._dialler.stop()  # a dead process does not dial again
    for link in list(business._receivers):
        link.fail("killed")


@pytest.mark.parametrize("redeliver", [False, True])
def test_a_worker_that_dies_takes_its_messages_along_unless_they_are_redelivered(
    system: System, redeliver: bool
) -> None:
    async def never(client: lineman.Client, message: str) -> None:
        await asyncio.sleep(1000)

    node = system.add_node("on_message", redeliver=redeliver)
    dying = system.add_business(on_message=never)
    client = system.connect()
    client.send("first")
    system.wait_until(lambda: dying._running.names, "the worker has it")
    system.add_business(on_message=echo)
    system.call(die, dying)
    system.wait_until(lambda: node.dispatch.workers == 1, "the gateway process has noticed")
    client.send("second")
    if redeliver:
        assert client.receive() == "first"
    assert client.receive() == "second"
    assert node.dispatch.dropped == (0 if redeliver else 1)
    for task in list(dying._running.names):
        system.call(task.cancel)


def test_a_client_that_sends_faster_than_it_is_served_is_read_no_more(system: System) -> None:
    release = asyncio.Event()

    async def hold(client: lineman.Client, message: bytes) -> None:
        await release.wait()
        client.send(str(len(message)))

    node = system.add_node("on_message")
    system.add_business(on_message=hold)
    greedy, other = system.connect(), system.connect()
    for _ in range(20):
        greedy.send(b"x" * 100_000)
    (client, _) = node.orders.clients.values()
    system.wait_until(lambda: client.is_paused, "its socket is not read")
    assert client.unacknowledged_size < 1_000_000
    other.send(b"y")
    system.call(release.set)
    assert other.receive() == "1"
    assert [greedy.receive() for _ in range(20)] == ["100000"] * 20


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


def by_path(connection: lineman.Connection, ids: list[int]) -> int:
    assert connection.request is not None
    return int(connection.request.path[1:])


def test_a_router_chooses_the_worker_of_each_client(system: System) -> None:
    seen: list[list[int]] = []

    def router(connection: lineman.Connection, ids: list[int]) -> int:
        seen.append(ids)
        return by_path(connection, ids)

    system.add_node("on_message", router=router)
    for name in ("zero", "one"):
        system.add_business(on_message=lambda client, message, name=name: client.send(name))
    clients = [system.connect(f"/{number % 2}") for number in range(6)]
    for client in clients:
        client.send("who?")
    assert [client.receive() for client in clients] == ["zero", "one"] * 3
    assert seen == [[0, 1]] * 6


def test_a_client_waits_for_the_worker_that_the_router_chooses(system: System) -> None:
    system.add_node("on_message", router=by_path)
    system.add_business(on_message=lambda client, message: client.send("zero"))
    client, other = system.connect("/1"), system.connect("/0")
    client.send("who?")
    other.send("who?")
    assert other.receive() == "zero"
    node = system.nodes[0]
    system.wait_until(lambda: node.dispatch.waiting_clients == 1, "it waits")
    system.add_business(on_message=lambda client, message: client.send("one"))
    assert client.receive() == "one"


def test_the_new_worker_of_an_id_takes_over_when_the_old_one_retires(system: System) -> None:
    system.add_node("on_message", router=by_path)
    old = system.add_business(on_message=lambda client, message: client.send("old"))
    client = system.connect("/0")
    client.send("who?")
    assert client.receive() == "old"
    system.add_business(on_message=lambda client, message: client.send("another id"))
    worker(system, slot=0)  # it is ready, and has not to answer
    system.run(old.retire(5))
    client.send("who?")
    node = system.nodes[0]
    (held,) = node.orders.clients.values()
    system.wait_until(lambda: held.link is not None and held.link.peer == "4711", "it moves")


@pytest.mark.parametrize("wrong", [lambda connection, ids: 1 / 0, lambda connection, ids: "0"])
def test_a_router_that_fails_costs_no_client(
    system: System, caplog: pytest.LogCaptureFixture, wrong: Any
) -> None:
    options = GatewayOptions("ws://127.0.0.1:0", router=wrong)
    system.add_node("on_message", router=checked_router(options))
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"
    assert "router failed for <Connection 1" in caplog.text
