"""The table of named timers: which is due, and how many there may be."""

from __future__ import annotations

import pytest

from lineman.gateway.holder.timer_table import OVERHEAD, KeptTimer, TimerTable, following


def timer(key: str, due: float = 0.0, *, id: str = "a", interval: float = 0.0) -> KeptTimer:
    return KeptTimer(key, id, "name", b"\x90", due, interval, 0)


def due_keys(table: TimerTable, now: float) -> list[str]:
    found = []
    while (each := table.take_due(now)) is not None:
        found.append(each.key)
    return found


def test_they_are_due_in_the_order_of_their_moments() -> None:
    table = TimerTable()
    for key, due in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("a2", 1.0)):
        assert table.put(timer(key, due))
    assert table.next_due == 1.0
    assert due_keys(table, 0.9) == []
    assert due_keys(table, 2.0) == ["a", "a2", "b"]
    assert len(table) == 4  # a call that is due is kept until it is done
    assert table.next_due == 3.0


def test_a_key_has_one_timer_and_a_drop_may_mean_one_setting() -> None:
    table = TimerTable()
    old, new = timer("a", 1.0, id="1"), timer("a", 5.0, id="2")
    table.put(old)
    table.put(new)
    assert old.is_gone
    assert due_keys(table, 4.0) == []
    assert table.drop("a", "1") is None
    assert table.get("a") is new
    assert table.drop("a", "2") is new
    assert table.drop("a") is None
    assert table.next_due is None
    assert not len(table)


def test_no_more_are_kept_than_there_is_room_for() -> None:
    table = TimerTable(max_timers=2)
    assert table.put(timer("a"))
    assert table.put(timer("b"))
    assert table.is_full
    assert not table.put(timer("c"))
    assert table.put(timer("b", 7.0))
    table.drop("a")
    assert not table.is_full
    assert table.put(timer("c"))


def test_bytes_count_as_well() -> None:
    size = timer("a").size
    assert size > OVERHEAD
    table = TimerTable(max_bytes=2 * size)
    table.put(timer("a"))
    assert not table.is_full
    table.put(timer("b"))
    assert table.is_full
    table.put(timer("b"))
    table.drop("b")
    assert not table.is_full


def test_a_timer_that_is_set_again_and_again_takes_no_more_room() -> None:
    table = TimerTable()
    for number in range(10_000):
        table.put(timer("a", float(number)))
    assert len(table._queue) < 200
    assert due_keys(table, 1e6) == ["a"]


@pytest.mark.parametrize(
    ("now", "next_due"), [(10.0, 12.0), (11.9, 12.0), (12.0, 14.0), (17.0, 18.0)]
)
def test_a_repeated_one_stays_on_its_grid(now: float, next_due: float) -> None:
    each = timer("a", 10.0, interval=2.0)
    assert following(each, now) == next_due


def test_a_timer_does_not_grow_where_there_is_no_room() -> None:
    size = timer("a").size
    table = TimerTable(max_bytes=2 * size)
    for key in ("a", "b"):
        assert table.put(timer(key))
    large = KeptTimer("a", "2", "name", b"x" * 8000, 0.0, 0.0, 0)
    assert not table.put(large)
    kept = table.get("a")
    assert kept is not None
    assert kept.size == size
    assert table.put(timer("a", 5.0))
