from __future__ import annotations

import pytest

from lineman.errors import UsageError
from lineman.links import records
from lineman.links.records import (
    BINARY,
    DONE,
    HEAD,
    HEAD_SIZE,
    RECORD,
    TEXT,
    to_payload,
)


@pytest.mark.parametrize(
    ("message", "kind", "payload"),
    [("é", TEXT, "é".encode()), ("", TEXT, b""), (b"\0\xff", BINARY, b"\0\xff")],
)
def test_a_message_has_its_kind_size_and_client_before_it(
    message: str | bytes, kind: int, payload: bytes
) -> None:
    assert to_payload(message) == message
    record = bytearray()
    records.put(record, kind, 2**40, payload + b"and more", len(payload))
    assert HEAD.unpack(record[:HEAD_SIZE]) == (kind, len(payload), 2**40)
    assert record[HEAD_SIZE:] == payload


def test_handled_events_have_no_payload() -> None:
    record = bytearray(b"before")
    records.put_done(record, 7, 3)
    assert record[:6] == b"before"
    assert HEAD.unpack(record[6:]) == (DONE, 3, 7)
    assert records.read(record, 6) == records.Record(DONE, 3, 7)


def test_no_record_begins_as_a_frame_does() -> None:
    assert HEAD.size == HEAD_SIZE
    largest_frame = (64 * 1024 * 1024).to_bytes(4, "big")
    assert largest_frame[0] < RECORD <= min(TEXT, BINARY, DONE)


@pytest.mark.parametrize("given", [b"x", bytearray(b"x"), memoryview(b"x")])
def test_whatever_is_bytes_is_carried_as_bytes(given: object) -> None:
    assert to_payload(given) == b"x"
    assert type(to_payload(given)) is bytes


def test_text_is_carried_as_it_is() -> None:
    assert [to_payload(text) for text in ("", "a", "é")] == ["", "a", "é"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"a": 1}, "got dict; for structured data use json.dumps"),
        (None, "got NoneType"),
        (7, "got int"),
        ("\ud800", "cannot be written as UTF-8"),
    ],
)
def test_what_is_no_message_is_refused(given: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        to_payload(given)
