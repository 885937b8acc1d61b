"""Bytes in buffers without copies, in plain Python; compiled modules have the same in C."""

from __future__ import annotations

from lineman.base import buffers
from lineman.base.buffers import payload_of


class Shout(str):
    """A subclass of `str`, which is not a plain text."""


def test_the_payload_of_a_message_has_its_bytes_and_kind() -> None:
    assert payload_of(b"\xff\0") == (b"\xff\0", 2, False)
    assert payload_of("é") == (b"\xc3\xa9", 2, True)
    assert payload_of("") == (b"", 0, True)


def test_what_has_no_bytes_of_its_own_says_so_by_its_size() -> None:
    for message in (Shout("x"), bytearray(b"x"), memoryview(b"x"), None, 5, "\ud800"):
        assert payload_of(message).size == -1
    assert payload_of("\ud800").is_text, "a text, for which UTF-8 has no bytes"


def test_a_part_of_the_data_is_copied_to_its_place_and_nothing_beside_it() -> None:
    to = bytearray(b"........")
    buffers.copy(to, 2, b"abcdef", 1, 3)
    assert to == b"..bcd..."
    buffers.copy(buffers.room_from(to, 6), 0, b"xy", 0, 2)
    assert to == b"..bcd.xy"
    buffers.append(to, b"abcdef", 4, 2)
    assert to == b"..bcd.xyef"
    with buffers.view(b"abcdef", 2, 3) as seen:
        assert bytes(seen) == b"cde"


def test_what_is_put_into_a_store_is_taken_from_it_as_bytes() -> None:
    small, large = buffers.new_store(3), buffers.new_store(5)
    room = buffers.store_room(small)
    room[:3] = b"abc"
    buffers.fill_store(large, small, 3)
    buffers.store_room(large)[3:4] = b"d"
    assert buffers.take_store(large, 4) == b"abcd"
    assert buffers.taken(memoryview(b"abcd"), 2) == b"ab"
