"""The kinds of options: each accepts its valid values, and says for others what to give."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from lineman import ConfigError
from lineman.base import option_kinds
from lineman.base.option_kinds import (
    BYTES,
    COUNT_OR_NONE,
    DIRECTORY_PATH,
    FLAG,
    MAX_SECONDS,
    PEM_FILE,
    RATE,
    SECONDS,
    SECONDS_OR_NONE,
    TEXTS,
    CheckedBy,
    Choice,
    Number,
    OptionKind,
    Text,
    Typed,
    names_of,
    option,
    taking,
)

MODE = Number(least=0o200, most=0o777, remedy="give a file mode, as {name}=0o660")
SECRET = Typed((str,), "text", is_secret=True)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (BYTES, 1), (BYTES, 2**40), (COUNT_OR_NONE, 0), (RATE, 0.0), (RATE, 0.5), (RATE, 3),
        (SECONDS, 0.001), (SECONDS, MAX_SECONDS), (SECONDS_OR_NONE, 0), (MODE, 0o200),
        (MODE, 0o777), (FLAG, True), (FLAG, False), (Text("a"), ""), (Text("a"), "b"), (TEXTS, ()),
        (TEXTS, ["a"]), (Choice(("a", None)), None), (Choice(("a", None)), "a"),
        (PEM_FILE, "a.pem"), (PEM_FILE, Path("a.pem")), (SECRET, "tom"),
        (CheckedBy(int), "4"),
    ],
)  # fmt: skip
def test_a_value_of_the_kind_is_taken(kind: OptionKind, value: object) -> None:
    kind.check("x", value)


@pytest.mark.parametrize(
    ("kind", "value", "seen", "fix"),
    [
        (BYTES, 0, "x is 0", "give more than 0"),
        (BYTES, 1.0, "x is 1.0", "give a whole number of bytes, more than 0"),
        (BYTES, True, "x is True", "a whole number of bytes"),
        (BYTES, None, "x is None", "a whole number of bytes"),
        (COUNT_OR_NONE, -1, "x is -1", "give 0 or more, 0 for no limit"),
        (RATE, "5", "x is '5'", "give a number, 0 or more, 0 for no limit"),
        (RATE, nan, "x is nan", "give 0 or more"),
        (SECONDS, 0, "x is 0", f"give more than 0, {MAX_SECONDS} at most"),
        (SECONDS, inf, "x is inf", f"{MAX_SECONDS} at most"),
        (SECONDS_OR_NONE, -0.1, "x is -0.1", "0 for never"),
        (MODE, 0o100, "x is 64", "give a file mode, as x=0o660"),
        (MODE, "0660", "x is '0660'", "give a file mode, as x=0o660"),
        (FLAG, 1, "x is 1", "give True or False"),
        (Text("www-data", "a name"), None, "x is None", 'give a name, such as "www-data"'),
        (TEXTS, "a", "x is 'a'", 'give a list: x=["…"]'),
        (TEXTS, 5, "x is 5", 'give a list: x=["…"]'),
        (TEXTS, ["a", 5], "x holds 5", "give strings"),
        (Choice(("a", "b", None)), "c", "x is 'c'", 'write x="a", "b" or None'),
        (Choice(("a",)), 1, "x is 1", 'write x="a"'),
        (PEM_FILE, 8282, "x is the int 8282", "give x the path of a PEM file"),
        (PEM_FILE, "", "x is '', which names no file", "give x the path of a PEM file"),
        (DIRECTORY_PATH, "a\0b", "which names no file", "give x the path of a directory"),
        (SECRET, 4711, "x is of type int", "give x text"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_was_seen_and_what_to_give(
    kind: OptionKind, value: object, seen: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        kind.check("x", value)
    assert seen in caught.value.seen
    assert fix in caught.value.fix


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class Shared:
    size: int = option(10, BYTES)
    note: str | None = option(None, Text("a"))


@dataclass(kw_only=True)
class Whole(Shared):
    size: int = option(20, BYTES)
    key: str = option("", SECRET, is_shown=False)
    other: int = 0
    made: list[int] = field(default_factory=list)


class Holder(Shared):
    @taking(Whole)
    def __init__(self, **given: Any) -> None:
        self.given = given


def test_an_option_is_an_attribute_and_an_argument_with_its_default() -> None:
    assert (Holder.size, Holder().note, Whole().size) == (10, None, 20)
    assert names_of(Whole) == ("size", "note", "key")
    shown = inspect.signature(Holder).parameters
    assert {name: each.default for name, each in shown.items()} == {
        "size": 20, "note": None, "key": "", "other": 0, "made": [],
    }  # fmt: skip
    assert "tom" not in repr(Whole(key="tom"))


def test_each_option_is_checked_none_only_where_it_is_the_default() -> None:
    option_kinds.check(Whole, Whole(size=1, note=None))
    with pytest.raises(ConfigError, match="size of it is None"):
        option_kinds.check(Whole, Whole(size=None), whose=" of it")  # type: ignore[arg-type]


def test_those_of_another_class_are_left_out_where_they_are_the_same() -> None:
    wrong: Any = object()
    option_kinds.check(Whole, Whole(note=wrong), besides=Shared)
    with pytest.raises(ConfigError, match="size is 0"):
        option_kinds.check(Whole, Whole(size=0), besides=Shared)
