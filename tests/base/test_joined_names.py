"""Names that are joined by colons."""

from __future__ import annotations

from itertools import product

from lineman.base.joined_names import joined


def test_an_ordinary_name_stays_as_it_is() -> None:
    assert joined("chat-1_é", "value", "") == "chat-1_é:value:"


def test_no_two_names_meet_whatever_belongs_to_them() -> None:
    parts = ["".join(each) for size in range(1, 4) for each in product("a:%{}3A", repeat=size)]
    names = parts[:60]
    made = [joined(name, rest) for name in names for rest in parts]
    assert len(set(made)) == len(made)


def test_the_braces_of_a_name_are_no_hash_tag() -> None:
    assert joined("a{b}", "{g}") == "a%7Bb%7D:{g}"
