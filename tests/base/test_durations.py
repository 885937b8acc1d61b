"""Seconds and functions that a program gives, and the names of functions."""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest

from lineman import UsageError
from lineman.base.durations import check_function, check_seconds, name_of


@pytest.mark.parametrize("seconds", [1, 0.001, 315_360_000])
def test_seconds_in_the_range_are_floats(seconds: float) -> None:
    found = check_seconds("f(…)", seconds, 0.001)
    assert found == seconds
    assert type(found) is float


@pytest.mark.parametrize(
    ("seconds", "seen"),
    [
        (0, "0;"),
        (-1, "-1;"),
        (math.nan, "nan;"),
        (math.inf, "inf;"),
        (10**400, "10000"),
        ("10", "'10';"),
        ("x" * 1000, "x" * 79),
        (None, "of type NoneType;"),
        (True, "of type bool;"),
        ([1], "of type list;"),
    ],
)
def test_others_are_refused_with_what_was_seen_and_the_rule(seconds: Any, seen: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_seconds("worker.every(…)", seconds, 0.001)
    text = str(caught.value)
    assert text.startswith("worker.every(…): the seconds are ")
    assert seen in text
    assert text.endswith("give a number from 0.001 to 315,360,000 (ten years)")
    assert len(text) < 300


async def work() -> None:
    pass


class Room:
    def tick(self) -> None:
        pass

    def __call__(self) -> None:
        pass


@pytest.mark.parametrize("wrong", [None, 5, "f", work()])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"worker\.every\(…\) takes .*write f, not f\(\)"):
        check_function("worker.every(…)", wrong)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (work, "work"),
        (Room().tick, "Room.tick"),
        (Room(), "Room"),
        (functools.partial(work), "work"),
        (functools.partial(Room()), "Room"),
        (print, "print"),
        (lambda: None, "<lambda>"),
    ],
)
def test_every_function_has_a_name(function: Any, name: str) -> None:
    check_function("f(…)", function)
    assert name_of(function) == name


def test_the_name_of_an_inner_function_is_short() -> None:
    def tick() -> None:
        pass

    assert name_of(tick) == "tick"
