"""A clock that a test moves."""

from __future__ import annotations

import time

import pytest

from lineman.testing.movable_clock import MovableClock


def test_it_moves_both_clocks_and_puts_them_back() -> None:
    functions = (time.monotonic, time.time)
    clock = MovableClock()
    clock.install()
    try:
        before, wall = time.monotonic(), time.time()
        clock.move(3600)
        assert 3600 <= time.monotonic() - before < 3700
        assert 3600 <= time.time() - wall < 3700
    finally:
        clock.remove()
    assert (time.monotonic, time.time) == functions


def test_clocks_in_use_at_the_same_time_move_together() -> None:
    functions = (time.monotonic, time.time)
    one, two = MovableClock(), MovableClock()
    one.install()
    two.install()
    before = time.monotonic()
    two.move(100)
    one.remove()
    assert time.monotonic() - before >= 100
    two.remove()
    assert (time.monotonic, time.time) == functions


def test_it_never_goes_back() -> None:
    with pytest.raises(ValueError, match="goes forward only, got -1"):
        MovableClock().move(-1)
