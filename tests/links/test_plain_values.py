"""Values between processes: what comes out is what went in, or an error says why not."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.links.plain_values import decode_plain, encode_plain

SAME: list[Any] = [
    *(None, True, False, 0, -1, 2**63 - 1, -(2**63), 1.5, "", "é", b"\xff"),
    [1, [2, {"a": [None]}]],
    {"a": {"b": b"c"}},
]


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_a_value_comes_out_as_it_went_in(value: Any) -> None:
    found = decode_plain(encode_plain("the value", value, 100))
    assert found == value
    assert type(found) is type(value)


def test_tuples_become_lists_and_bytearrays_bytes() -> None:
    assert decode_plain(encode_plain("the value", (1, bytearray(b"a")), 100)) == [1, b"a"]


def test_equal_dictionaries_are_equal_bytes_where_that_is_asked_for() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert encode_plain("x", one, 100) != encode_plain("x", other, 100)
    assert encode_plain("x", one, 100, is_sorted=True) == encode_plain(
        "x", other, 100, is_sorted=True
    )


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (datetime.date(2026, 1, 2), "is a date"),
        ({1: 2}, "is a key and no text"),
        ({"a": [object()]}, "is a object"),
        (2**64, "serialize ints"),
        ("\ud800", "surrogates"),
        (endless(), "nested too deeply, or holds itself"),
        ("x" * 100, "has 102 bytes, 100 are allowed"),
    ],
    ids=["date", "key", "object", "big", "surrogate", "endless", "large"],
)
def test_what_cannot_be_sent_is_an_error_that_says_why(value: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        encode_plain("the data", value, 100)


@pytest.mark.parametrize("encoded", [b"", b"\xc1", b"\x92\x01", b"\x01\x01", b"\xa1\xff"])
def test_bytes_that_are_no_value_are_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError, match="not a value"):
        decode_plain(encoded)
