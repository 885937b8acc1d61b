"""A call that is made later: in the wheel until it is near, then in the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from lineman.net.loop.delay import NEAR, Delay
from lineman.net.loop.wheel import Wheel


class Owner:
    """An owner with a wheel and an event loop that only note what they get."""

    def __init__(self) -> None:
        self.service = self.loop = self
        self.wheel = Wheel()
        self.handles: list[tuple[float, Callable[[], Any]]] = []
        self.ran: list[Delay] = []
        self.forgotten: list[Delay] = []

    def call_later(self, seconds: float, function: Callable[[], Any]) -> None:
        self.handles.append((seconds, function))

    def run_delay(self, delay: Delay) -> None:
        self.ran.append(delay)

    def forget_delay(self, delay: Delay) -> None:
        self.forgotten.append(delay)


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, as its last element."""
    moments = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moments[-1])
    return moments


def test_a_far_call_waits_in_the_wheel_and_has_no_handle(moments: list[float]) -> None:
    owner = Owner()
    delay = Delay(owner, 10, print, ())
    for _ in range(37):
        moments.append(moments[-1] + 0.25)
        owner.wheel.advance(0.25)
        assert (owner.handles, delay.filed_tick > 0) == ([], True)
    while not owner.handles:
        moments.append(moments[-1] + 0.25)
        owner.wheel.advance(0.25)
    ((seconds, look),) = owner.handles
    assert 0 < seconds <= NEAR
    moments.append(moments[-1] + seconds)
    look()
    assert owner.ran == [delay]


def test_a_loop_that_wakes_too_early_sleeps_again(moments: list[float]) -> None:
    owner = Owner()
    delay = Delay(owner, 0.3, print, ())
    moments.append(1000.2998)
    owner.handles.pop()[1]()
    assert owner.ran == []
    ((seconds, look),) = owner.handles
    assert seconds >= 0.0002
    moments.append(1000.3)
    look()
    assert owner.ran == [delay]


def test_a_wheel_that_runs_ahead_of_the_clock_makes_no_call_early(moments: list[float]) -> None:
    owner = Owner()
    Delay(owner, 2, print, ())
    for _ in range(40):
        owner.wheel.advance(0.25)
    assert owner.handles == []
    moments.append(1010.0)
    for _ in range(10):
        owner.wheel.advance(0.25)
    assert [seconds for seconds, _ in owner.handles] == [0.0]


@pytest.mark.parametrize("seconds", [0.1, 10])
def test_a_cancelled_call_is_in_no_wheel_and_its_handle_does_nothing(
    moments: list[float], seconds: float
) -> None:
    owner = Owner()
    delay = Delay(owner, seconds, print, ())
    delay.cancel()
    delay.cancel()
    delay.drop()
    assert (owner.forgotten, delay.filed_tick, delay.function) == ([delay], 0, None)
    for _, look in owner.handles:
        look()
    assert owner.ran == []
