from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.gateway.holder.client_deadlines import Due, Guard, GuardOptions
from lineman.gateway.holder.held_client import HeldClient


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


def entered(guard: Guard, ip: str = "1.1.1.1") -> HeldClient:
    client = HeldClient("0" * 32, FakeConnection(ip))  # type: ignore[arg-type]
    guard.enter(client)
    return client


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
    guard.hear(client)
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
        guard.hear(client)


@pytest.mark.parametrize(
    "options",
    [
        {"authenticate_within": -1},
        {"ping_not_response_limit": "many"},
        {"authenticate_within": True},
        {"ping_interval": 1, "ping_data": 7},
        {"ping_data": "x"},
    ],
)
def test_limits_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        GuardOptions(**options)
