from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.gateway.client import Client
from lineman.gateway.guard import Due, Guard, GuardOptions


@dataclass
class FakeConnection:
    remote_ip: str = "1.1.1.1"
    id: int = 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def guarded(**options: Any) -> tuple[Guard, Clock]:
    clock = Clock()
    return Guard(GuardOptions(**options), clock), clock


def entered(guard: Guard, ip: str = "1.1.1.1") -> Client:
    client = Client("0" * 32, FakeConnection(ip))  # type: ignore[arg-type]
    guard.enter(client)
    return client


def test_an_address_has_so_many_clients_and_no_more() -> None:
    guard, _ = guarded(connections_per_ip=2)
    first = entered(guard)
    entered(guard)
    assert guard.admit("1.1.1.1") == "2 connections of one address are allowed"
    assert guard.admit("2.2.2.2") is None
    guard.leave(first)
    guard.leave(first)
    assert guard.admit("1.1.1.1") is None


def test_a_client_may_save_up_for_two_seconds_and_then_send_at_its_rate() -> None:
    guard, clock = guarded(messages_per_second=10)
    client = entered(guard)
    assert [guard.hear(client, 1) for _ in range(20)] == [None] * 20
    assert guard.hear(client, 1) == "more than 10 messages a second"
    clock.now += 0.11
    assert guard.hear(client, 1) is None
    assert guard.hear(client, 1) is not None
    clock.now += 1000
    assert [guard.hear(client, 1) for _ in range(20)] == [None] * 20
    assert guard.hear(client, 1) is not None
    assert guard.refused == 3


def test_bytes_count_and_one_large_message_comes_through() -> None:
    guard, clock = guarded(bytes_per_second=100)
    client = entered(guard)
    assert guard.hear(client, 5000) is None
    assert guard.hear(client, 1) == "more than 100 bytes a second"
    clock.now += 100
    assert guard.hear(client, 200) is None


def test_the_clients_of_one_address_share_its_rate() -> None:
    guard, _ = guarded(messages_per_second_per_ip=1)
    one, two, elsewhere = entered(guard), entered(guard), entered(guard, "2.2.2.2")
    assert guard.hear(one, 1) is None
    assert guard.hear(two, 1) is None
    assert guard.hear(one, 1) == "more than 1 messages a second of one address"
    assert guard.hear(elsewhere, 1) is None


def test_a_client_that_nobody_knows_in_time_is_due() -> None:
    guard, clock = guarded(authenticate_within=10)
    known, unknown = entered(guard), entered(guard)
    known.uid = "42"
    clock.now += 9
    assert guard.due() == []
    clock.now += 1
    assert guard.due() == [(unknown, Due.AUTHENTICATION)]
    assert guard.due() == []


def test_a_silent_client_is_pinged_and_closed_after_so_many_intervals() -> None:
    guard, clock = guarded(ping_interval=10, ping_data="ping", ping_not_response_limit=2)
    client = entered(guard)
    clock.now += 9
    assert guard.hear(client, 1) is None
    clock.now += 9
    assert guard.due() == []
    for expected in (Due.PING, Due.PING, Due.DEATH):
        clock.now += 10
        assert guard.due() == [(client, expected)]
    assert guard.due() == []


def test_a_client_that_answers_is_not_closed() -> None:
    guard, clock = guarded(ping_interval=10, ping_not_response_limit=1)
    client = entered(guard)
    for _ in range(5):
        clock.now += 10
        assert guard.due() == [(client, Due.PING)]
        assert guard.hear(client, 1) is None


@pytest.mark.parametrize(
    "options",
    [
        {"messages_per_second": -1},
        {"connections_per_ip": "many"},
        {"authenticate_within": True},
        {"ping_interval": 1, "ping_data": 7},
        {"ping_data": "x"},
    ],
)
def test_limits_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        GuardOptions(**options)
