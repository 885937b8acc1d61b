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
