from __future__ import annotations

from lineman.net.loop.lag import LagMeter


def test_nothing_noted_is_no_lag() -> None:
    meter = LagMeter()
    assert meter.last == 0.0
    assert meter.worst(1000.0) == 0.0


def test_the_worst_of_the_last_minute_is_kept_and_then_forgotten() -> None:
    meter = LagMeter()
    meter.note(100.0, 0.5)
    meter.note(100.25, 0.1)
    meter.note(115.0, 0.2)
    assert meter.last == 0.2
    assert meter.worst(115.0) == 0.5
    assert meter.worst(155.0) == 0.5
    assert meter.worst(165.0) == 0.2
    assert meter.worst(500.0) == 0.0


def test_a_wake_up_that_comes_early_is_not_late() -> None:
    meter = LagMeter()
    meter.note(1.0, -0.01)
    assert meter.last == 0.0


def test_it_keeps_a_minute_and_no_more() -> None:
    meter = LagMeter()
    for step in range(1000):
        meter.note(step * 10.0, 1.0)
    assert len(meter._spans) == 6
