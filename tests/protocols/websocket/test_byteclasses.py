"""Classes of bytes in an HTTP head."""

from __future__ import annotations

import string

import pytest

from lineman.protocols.websocket.byteclasses import (
    IS_BASE64,
    IS_DIGIT,
    IS_HOST,
    IS_TARGET,
    IS_TOKEN,
    IS_VALUE,
    KINDS,
    end_of_run,
)


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (IS_TOKEN, b"Sec-WebSocket_Key!~|", b" :(,/@\x7f\x80\t"),
        (IS_VALUE, b"text/html; q=\xe4 \t", b"\x00\r\n\x7f\x1f"),
        (IS_TARGET, b"/chat?a=%20&b=;", b' #"<>\\^`{|}\x80'),
        (IS_HOST, b"a-b.example9", b":[]_/ "),
        (IS_BASE64, b"az+/09", b"=-_ "),
        (IS_DIGIT, b"0123456789", b"a/:\xb2"),
    ],
)
def test_a_byte_is_in_a_class_or_ends_its_run(kind: int, inside: bytes, outside: bytes) -> None:
    assert end_of_run(inside, 0, len(inside), kind, KINDS) == len(inside)
    assert all(KINDS[byte] & kind for byte in inside)
    for byte in outside:
        data = inside + bytes([byte]) + inside
        assert end_of_run(data, 0, len(data), kind, KINDS) == len(inside)
        assert not KINDS[byte] & kind


def test_a_run_begins_and_ends_where_it_was_asked_to() -> None:
    data = memoryview(b"12345x")
    assert end_of_run(data, 2, 4, IS_DIGIT, KINDS) == 4
    assert end_of_run(data, 5, 6, IS_DIGIT, KINDS) == 5


def test_letters_are_in_every_class_but_that_of_digits() -> None:
    for letter in string.ascii_letters.encode():
        assert KINDS[letter] == IS_TOKEN | IS_VALUE | IS_TARGET | IS_HOST | IS_BASE64
