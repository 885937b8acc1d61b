"""Clients, gateway processes and business workers together, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import lineman
from kit.gateway import System
from lineman import NotReachedError
from lineman.errors import UsageError
from lineman.gateway.business.business_worker import Business
from lineman.gateway.holder.client_deadlines import GuardOptions
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient


def echo(client: lineman.Client, message: str | bytes) -> None:
    client.send(message)


def test_a_message_goes_to_a_business_worker_and_its_answer_comes_back(system: System) -> None:
    system.add_node("on_message")
    system.add_business(on_message=echo)
    client = system.connect()
    client.send("hello")
    assert client.receive() == "hello"
    client.send(b"\x00\xff")
    assert client.receive() == b"\x00\xff"


def test_a_callback_knows_its_client(system: System) -> None:
    seen: list[Any] = []

    def on_connect(client: lineman.Client) -> None:
        request = client.request
        seen.append((client.remote_ip, request.path, request.query.get("a"), client.uid))
        client.send("welcome")

    system.add_node("on_connect")
    system.add_business(on_connect=on_connect)
    assert system.connect("/room?a=7").receive() == "welcome"
    assert seen == [("127.0.0.1", "/room", "7", None)]


def test_a_business_worker_learns_nothing_of_who_a_stranger_is(system: System) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        client.send(repr(client.request.headers))

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    hidden = RawClient(system.workers[0].port)
    system.clients.append(hidden)
    hidden.host = "127.0.0.1:8282"
    secrets = [("Cookie", "secret"), ("Remote-User", "secret"), ("User-Agent", "a browser")]
    hidden.open("/", [("Origin", "https://domain.com"), *secrets])
    hidden.send("who am I?")
    seen = hidden.receive()
    assert "a browser" in seen
    assert "secret" not in seen


def test_messages_of_one_client_are_handled_in_order_also_by_async_callbacks(
    system: System,
) -> None:
    async def on_message(client: lineman.Client, message: str) -> None:
        await asyncio.sleep(0.02 if message == "0" else 0)
        client.send(message)

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    for number in range(20):
        client.send(str(number))
    assert [client.receive() for _ in range(20)] == [str(number) for number in range(20)]


def test_a_session_is_kept_from_message_to_message_and_from_worker_to_worker(
    system: System,
) -> None:
    def count(client: lineman.Client, message: str) -> None:
        client.session.setdefault("list", []).append(message)
        client.send(",".join(client.session["list"]))

    system.add_node("on_message")
    first = system.add_business(on_message=count)
    client = system.connect()
    client.send("a")
    client.send("b")
    assert [client.receive(), client.receive()] == ["a", "a,b"]
    system.add_business(on_message=count)
    system.run(first.retire(5))
    client.send("c")
    assert client.receive() == "a,b,c"


def test_uids_groups_and_exclusions(system: System) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        name, _, group = message.partition("@")
        client.bind(name)
        client.join(group)
        client.send("in")

    system.add_node("on_message")
    api = system.add_business(on_message=on_message)
    anna, anna_too, bert = (system.connect() for _ in range(3))
    for client, text in ((anna, "anna@a"), (anna_too, "anna@b"), (bert, "bert@a")):
        client.send(text)
        assert client.receive() == "in"
    ids = system.ask(api.get_client_id_by_uid("anna"))
    assert len(ids) == 2
    assert system.ask(api.get_uid_by_client_id(ids[0])) == "anna"
    assert sorted(system.ask(api.get_uid_list_by_group("a"))) == ["anna", "bert"]
    assert system.ask(api.get_client_id_count_by_group("a")) == 2
    assert system.ask(api.get_all_client_count()) == 3
    assert system.ask(api.is_uid_online("bert"))
    assert not system.ask(api.is_uid_online("nobody"))
    system.call(api.send_to_uid, "anna", "to anna")
    system.call(api.send_to_group, ["a", "b"], "to both groups")
    system.call(
        api.send_to_all,
        "to all but bert",
        exclude=system.ask(api.get_client_id_by_uid("bert")),
    )
    system.call(api.send_to_group, "a", "end")
    system.call(api.send_to_group, "b", "end")
    expected = ["to anna", "to both groups", "to all but bert", "end"]
    assert [anna.receive() for _ in expected] == expected
    assert [anna_too.receive() for _ in expected] == expected
    assert [bert.receive() for _ in range(2)] == ["to both groups", "end"]


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


def test_a_callback_that_raises_closes_its_client_and_no_other(system: System) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        if message == "bad":
            raise RuntimeError("a defect of the program")
        client.send(message)

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    good, bad = system.connect(), system.connect()
    bad.send("bad")
    assert bad.receive_close().code == 1011
    good.send("still here")
    assert good.receive() == "still here"


def leave(*_: object) -> None:
    raise SystemExit(3)


async def leave_late(*_: object) -> None:
    await asyncio.sleep(0)
    raise SystemExit(3)


async def cancel_itself(*_: object) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


@pytest.mark.parametrize("ending", [leave, leave_late, cancel_itself])
def test_a_callback_that_would_end_the_process_closes_its_client_and_no_other(
    system: System, ending: Callable[..., Any]
) -> None:
    def on_message(client: lineman.Client, message: str) -> Any:
        return ending() if message == "end" else client.send(message)

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    good, bad = system.connect(), system.connect()
    bad.send("end")
    assert bad.receive_close().code == 1011
    good.send("still here")
    assert good.receive() == "still here"


def test_a_flood_of_messages_that_fail_writes_one_traceback_and_a_count(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        client.send("x")
        int(message)

    system.add_node("on_message")
    business = system.add_business(on_message=on_message)
    for number in range(100):
        client = system.connect()
        client.send(f"no number {number}")
        client.receive()
        assert client.receive_close().code == 1011
    system.run(business.retire(1.0))
    business.close()
    raised = [each for each in caplog.records if "ValueError" in each.getMessage() or each.exc_info]
    assert len(raised) == 2
    assert ": 99 more times in the last" in raised[1].getMessage()


def test_a_session_that_is_too_big_closes_its_client(system: System) -> None:
    def on_message(client: lineman.Client, message: str) -> None:
        client.session["big"] = "x" * 70_000

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("?")
    assert client.receive_close().code == 1011


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
    system.wait_until(lambda: dying._tasks, "the worker has it")
    system.add_business(on_message=echo)
    system.call(die, dying)
    system.wait_until(lambda: node.dispatch.workers == 1, "the gateway process has noticed")
    client.send("second")
    if redeliver:
        assert client.receive() == "first"
    assert client.receive() == "second"
    assert node.dispatch.dropped == (0 if redeliver else 1)
    for task in list(dying._tasks):
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


def test_orders_outside_of_a_running_gateway_are_told(system: System) -> None:
    api = system.add_business()
    with pytest.raises(NotReachedError, match="no gateway process is reachable"):
        system.call(api.send_to_all, "x")
    with pytest.raises(UsageError, match="in a client's callback only"):
        system.call(api.send_to_current_client, "x")
    with pytest.raises(UsageError, match="no client's id"):
        system.call(api.send_to_client, "42", "x")


def test_a_client_that_passes_a_limit_is_closed_with_the_limit_named(system: System) -> None:
    limits = {
        "messages_per_second": 5,
        "connections_per_ip": 2,
        "trusted_proxies": ["127.0.0.1/32"],
    }
    system.add_node("on_message", worker_options=limits)
    system.add_business(on_message=echo)
    told = (("X-Real-IP", "203.0.113.7"),)
    flooder, other, refused = (RawClient(system.workers[0].port) for _ in range(3))
    system.clients += [flooder, other, refused]
    flooder.open(headers=told)
    other.open(headers=told)
    assert refused.handshake(headers=told).status == 429
    for _ in range(11):
        flooder.send("x")
    while (event := flooder.receive()) == "x":
        pass  # those before it that were answered in time
    assert event == Close(1008, "more than 5 messages a second (messages_per_second)")
    other.send("y")
    assert other.receive() == "y"


def test_a_client_that_does_not_say_who_it_is_is_closed(system: System) -> None:
    system.add_node("on_message", limits=GuardOptions(authenticate_within=0.1))
    system.add_business(on_message=lambda client, message: client.bind(message))
    anna, stranger = system.connect(), system.connect()
    anna.send("anna")
    close = stranger.receive_close()
    assert (close.code, close.reason) == (4401, "not authenticated in time")
    service = system.workers[0].service
    assert service is not None
    assert service.tally.hits == {"authenticate_within": 1}
    system.call(system.businesses[0].send_to_uid, "anna", "welcome")
    assert anna.receive() == "welcome"


def test_a_silent_client_is_sent_the_programs_own_ping(system: System) -> None:
    limits = GuardOptions(ping_interval=0.1, ping_data="ping", ping_not_response_limit=2)
    system.add_node("on_message", limits=limits)
    system.add_business(on_message=echo)
    client = system.connect()
    assert [client.receive(), client.receive()] == ["ping", "ping"]
    close = client.receive_close()
    assert (close.code, close.reason) == (1001, "silent for too long")
