"""Memory that is free goes back to the machine."""

from __future__ import annotations

from lineman.memory import INTERVAL, WORTH, Keeper
from lineman.process import usage

SIZE = 100_000  # below what malloc takes from the kernel block by block


def holes() -> list[bytes]:
    """Takes much, and gives all of it back but a block here and there, which are returned."""
    taken = [bytes(SIZE) for _ in range(10 * WORTH // SIZE)]
    return taken[::20]


def test_what_is_free_between_blocks_in_use_goes_back_to_the_machine() -> None:
    keeper = Keeper()
    before = usage.rss()
    kept = holes()
    grown = usage.rss() - before
    assert grown > 4 * WORTH, "malloc itself gave it back: this test shows nothing"
    assert keeper.on_deadline(100.0) == 100.0 + INTERVAL
    assert usage.rss() - before < grown / 2
    assert len(kept) > 30


def test_a_look_in_the_middle_of_a_burst_does_not_hide_its_end() -> None:
    keeper = Keeper()
    before = usage.rss()
    taken = [bytes(SIZE) for _ in range(10 * WORTH // SIZE)]
    keeper.on_deadline(0.0)
    taken = taken[::20]
    keeper.on_deadline(INTERVAL)
    assert usage.rss() - before < 3 * WORTH
    assert len(taken) > 30


def test_a_process_that_has_not_changed_is_left_alone() -> None:
    kept = holes()
    keeper = Keeper()
    before = usage.rss()
    keeper.on_deadline(0.0)
    assert abs(usage.rss() - before) < WORTH
    assert len(kept) > 30
