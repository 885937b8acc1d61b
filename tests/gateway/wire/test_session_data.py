from __future__ import annotations

import datetime
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.gateway.wire.session_data import (
    MAX_SESSION,
    decode_session,
    encode_session,
    merge,
)


def test_a_session_comes_back_as_it_was_and_tuples_as_lists() -> None:
    session = {"name": "tom", "n": 1, "x": 1.5, "raw": b"\0", "none": None, "ok": True}
    nested = {**session, "in": {"list": [1, {"a": "b"}]}}
    assert decode_session(encode_session(nested)) == nested
    assert decode_session(encode_session({"pair": (1, 2)})) == {"pair": [1, 2]}


@pytest.mark.parametrize(
    ("session", "says"),
    [
        ([], "a session is a dictionary, got list"),
        ({1: "a"}, "1 is a key and no text"),
        ({"in": {2: "a"}}, "2 is a key and no text"),
        ({"at": datetime.date(2026, 1, 1)}, "is a date"),
        ({"in": [object]}, "is a type"),
        ({"large": 2**64}, "the session cannot be kept"),
        ({"text": "\ud800"}, "the session cannot be kept"),
    ],
)
def test_what_would_not_come_back_is_refused(session: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        encode_session(session)


def test_what_contains_itself_is_refused() -> None:
    session: dict[str, Any] = {}
    session["me"] = session
    with pytest.raises(UsageError, match="the session cannot be kept"):
        encode_session(session)


def test_64_kib_are_kept_and_not_a_byte_more() -> None:
    room = MAX_SESSION - len(encode_session({"x": b""})) - 1  # its length then takes a byte more
    assert len(encode_session({"x": bytes(room)})) == MAX_SESSION
    with pytest.raises(UsageError, match="65536 are allowed"):
        encode_session({"x": bytes(room + 1)})
    with pytest.raises(UsageError, match="65536 are allowed"):
        decode_session(bytes(MAX_SESSION + 1))


@pytest.mark.parametrize("wire", [b"", b"\xc1", b"\x93\1\2\3", b"\x81\1\2", b"\x81\xa1\xff\1"])
def test_bytes_that_are_no_session_are_refused(wire: bytes) -> None:
    with pytest.raises(UsageError, match="not a session"):
        decode_session(wire)


def test_what_is_named_in_another_is_set_also_within() -> None:
    old = {"a": 1, "in": {"x": 1, "y": 2}}
    assert merge(old, {"b": 2, "in": {"y": 3}}) == {"a": 1, "b": 2, "in": {"x": 1, "y": 3}}
    assert merge(old, {"in": 7}) == {"a": 1, "in": 7}
    assert merge({"in": 7}, {"in": {"x": 1}}) == {"in": {"x": 1}}
    assert old == {"a": 1, "in": {"x": 1, "y": 2}}
