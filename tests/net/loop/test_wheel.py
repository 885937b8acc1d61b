from __future__ import annotations

from collections.abc import Callable

from lineman.net.loop.wheel import GRANULARITY, LOOKS, Timed, Wheel


class Item(Timed):
    """Records when it is called."""

    def __init__(self, again: Callable[[float], float] = lambda now: 0.0) -> None:
        self.filed_tick = 0
        self.seen: list[float] = []
        self._again = again

    def on_deadline(self, now: float) -> float:
        self.seen.append(now)
        return self._again(now)


def advance(wheel: Wheel, seconds: float) -> None:
    for _ in range(round(seconds / GRANULARITY)):
        wheel.advance(GRANULARITY)


def test_an_item_is_looked_at_once_and_at_most_a_quarter_of_a_second_late() -> None:
    wheel, item = Wheel(), Item()
    wheel.file(item, 1.1)
    advance(wheel, 1.0)
    assert item.seen == []
    advance(wheel, 0.25)
    assert item.seen == [1.25]
    advance(wheel, 5.0)
    assert item.seen == [1.25]


def test_an_item_is_never_looked_at_before_its_time() -> None:
    wheel, item = Wheel(), Item()
    wheel.file(item, 1.0)
    advance(wheel, 1.0)
    assert item.seen == []
    advance(wheel, 0.25)
    assert item.seen == [1.25]


def test_an_item_whose_time_is_past_is_looked_at_in_the_next_tick() -> None:
    wheel, item = Wheel(), Item()
    advance(wheel, 3.0)
    wheel.file(item, 1.0)
    wheel.advance(GRANULARITY)
    assert item.seen == [3.25]


def test_an_item_that_names_a_time_is_looked_at_again_then() -> None:
    wheel, item = Wheel(), Item(again=lambda now: now + 1.0 if now < 2.0 else 0.0)
    wheel.file(item, 0.1)
    advance(wheel, 5.0)
    assert item.seen == [0.25, 1.5, 2.75]
    assert item.filed_tick == 0


def test_filing_later_leaves_the_item_where_it_is() -> None:
    wheel, item = Wheel(), Item()
    wheel.file(item, 1.0)
    tick = item.filed_tick
    wheel.file(item, 9.0)
    assert item.filed_tick == tick


def test_filing_sooner_moves_the_item() -> None:
    wheel, item = Wheel(), Item()
    wheel.file(item, 9.0)
    wheel.file(item, 1.0)
    advance(wheel, 10.0)
    assert item.seen == [1.25]


def test_a_removed_item_is_not_looked_at() -> None:
    wheel, item = Wheel(), Item()
    wheel.file(item, 1.0)
    wheel.remove(item)
    wheel.remove(item)
    advance(wheel, 2.0)
    assert item.seen == []


def test_an_item_that_another_removes_in_the_same_tick_is_not_looked_at() -> None:
    wheel = Wheel()
    items: list[Item] = []

    def remove_all(now: float) -> float:
        for item in items:
            wheel.remove(item)
        return 0.0

    items += [Item(remove_all), Item(remove_all)]
    for item in items:
        wheel.file(item, 1.0)
    advance(wheel, 2.0)
    assert sorted(len(item.seen) for item in items) == [0, 1]


def test_an_item_that_another_files_anew_in_the_same_tick_waits_for_its_new_time() -> None:
    wheel = Wheel()
    items: list[Item] = []

    def put_off_the_others(now: float) -> float:
        for item in items:
            if item.filed_tick:
                wheel.remove(item)
                wheel.file(item, 5.0)
        return 0.0

    items += [Item(put_off_the_others), Item(put_off_the_others)]
    for item in items:
        wheel.file(item, 1.0)
    advance(wheel, 6.0)
    assert sorted(item.seen for item in items) == [[1.25], [5.25]]


def test_the_clock_stands_still_while_the_process_does() -> None:
    wheel, item = Wheel(), Item()
    wheel.file(item, 10.0)
    wheel.advance(60.0)
    assert wheel.now == 2 * GRANULARITY
    assert item.seen == []


def test_every_tick_that_passed_at_once_is_looked_at() -> None:
    wheel, items = Wheel(), [Item(), Item()]
    wheel.file(items[0], 0.1)
    wheel.file(items[1], 0.3)
    wheel.advance(0.5)
    assert [item.seen for item in items] == [[0.5], [0.5]]


def test_many_items_of_one_moment_are_looked_at_in_several_turns() -> None:
    wheel = Wheel()
    items = [Item() for _ in range(2 * LOOKS + 10)]
    for item in items:
        wheel.file(item, 0.1)
    later = Item()
    wheel.file(later, 0.3)
    assert wheel.advance(GRANULARITY)
    assert sum(len(item.seen) for item in items) == LOOKS
    assert wheel.advance(GRANULARITY)  # the clock goes on meanwhile
    assert later.seen == []
    assert not wheel.look()
    assert [len(item.seen) for item in items] == [1] * len(items)
    assert later.seen == [2 * GRANULARITY]
    assert not wheel.look()


def test_an_item_that_is_removed_or_filed_anew_while_it_waits_is_looked_at_then_alone() -> None:
    wheel = Wheel()
    items = [Item() for _ in range(LOOKS + 20)]
    for item in items:
        wheel.file(item, 0.1)
    assert wheel.advance(GRANULARITY)
    removed, filed = [item for item in items if not item.seen][:2]
    wheel.remove(removed)
    wheel.remove(filed)
    wheel.file(filed, 1.0)
    assert not wheel.look()
    assert removed.seen == filed.seen == []
    advance(wheel, 1.0)
    assert removed.seen == []
    assert len(filed.seen) == 1
