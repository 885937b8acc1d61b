"""Shared values are kept so that equal ones are equal bytes, and Redis can count."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import RefusedError, UsageError
from lineman.sharing import shared_values
from lineman.sharing.shared_values import decode_shared, encode_shared, to_number


@pytest.mark.parametrize(
    "value", [0, 7, -(2**63), 2**63 - 1, True, None, 1.0, "7", b"7", {"b": 1, "a": [2]}, ""]
)
def test_a_value_comes_back_with_its_type(value: Any) -> None:
    found = decode_shared(encode_shared(value))
    assert found == value
    assert type(found) is type(value)


def test_equal_values_are_equal_bytes_and_others_are_not() -> None:
    assert encode_shared({"a": 1, "b": 2}) == encode_shared({"b": 2, "a": 1})
    kinds = [encode_shared(value) for value in (1, True, 1.0, "1", b"1", [1], None, "")]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize(("value", "words"), [(2**63, "64 bits"), (object(), "is a object")])
def test_what_cannot_be_kept_is_an_error(value: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        encode_shared(value)


@pytest.mark.parametrize("kept", [b"", b"x", b"m", b"m\xc1", b"1.5", b"+1", b" 1", b"1" * 30])
def test_what_another_program_wrote_is_refused_by_name(kept: bytes) -> None:
    with pytest.raises(RefusedError, match="no Shared has written"):
        decode_shared(kept)


def test_only_digits_are_a_number() -> None:
    assert to_number(b"-12") == -12
    for kept in (b"m\x01", b"", b"1_000", "١".encode()):
        with pytest.raises(ValueError, match="no whole number"):
            to_number(kept)


@pytest.mark.parametrize("key", [1, "", "x" * 257, "\ud800", None])
def test_a_key_that_cannot_be_is_an_error(key: Any) -> None:
    with pytest.raises(UsageError, match="a key"):
        shared_values.check_key(key)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True, 4e8])
def test_an_expiry_that_cannot_be_is_an_error(seconds: Any) -> None:
    with pytest.raises(UsageError, match="expire"):
        shared_values.check_expiry(seconds)


def test_an_expiry_is_none_or_seconds() -> None:
    assert shared_values.check_expiry(None) is None
    assert shared_values.check_expiry(2) == 2.0


@pytest.mark.parametrize("by", [1.0, True, "1", 2**63])
def test_a_sum_that_cannot_be_is_an_error(by: Any) -> None:
    with pytest.raises(UsageError, match="by is"):
        shared_values.check_number("by", by)
