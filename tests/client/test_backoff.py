"""Delays between attempts: longer each time, partly random, and short again after a good line."""

from __future__ import annotations

import pytest

from lineman.client.backoff import GOOD, Backoff


def test_each_delay_is_twice_as_long_up_to_the_last() -> None:
    backoff = Backoff(0.5, 10.0, lambda: 1.0)
    assert [backoff.next() for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(("random", "delay"), [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)])
def test_half_of_a_delay_is_random(random: float, delay: float) -> None:
    backoff = Backoff(2.0, 10.0, lambda: random)
    assert backoff.next() == delay


def test_a_connection_that_was_open_for_long_begins_anew() -> None:
    backoff = Backoff(1.0, 60.0, lambda: 1.0)
    backoff.next()
    backoff.next()
    backoff.note_open(GOOD - 0.1)
    assert backoff.next() == 4.0
    backoff.note_open(GOOD)
    assert backoff.next() == 1.0


def test_a_server_that_is_away_for_months_is_still_tried() -> None:
    backoff = Backoff(1.0, 30.0, lambda: 1.0)
    assert [backoff.next() for _ in range(5000)][-1] == 30.0
