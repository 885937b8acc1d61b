"""The store of a message that arrives in pieces."""

from __future__ import annotations

import pytest

from lineman.protocols.websocket.assembly import TRUST, Assembly


def test_pieces_come_back_as_one_payload() -> None:
    made = Assembly()
    for piece in (b"ab", b"", b"c" * 1000, b"d"):
        made.append(memoryview(piece), 0, 0)
    assert made.size == len(made) == 1003
    assert made.take() == b"ab" + b"c" * 1000 + b"d"


def test_the_mask_is_taken_off_with_its_first_byte_lowest() -> None:
    made = Assembly()
    made.append(
        memoryview(bytes([0x61 ^ 1, 0x62 ^ 2, 0x63 ^ 3, 0x64 ^ 4, 0x65 ^ 1])), 0x04030201, 0
    )
    assert made.take() == b"abcde"


@pytest.mark.parametrize("coming", [0, 100, 10**9])
def test_an_announced_length_takes_no_more_room_than_what_has_come_deserves(coming: int) -> None:
    made = Assembly()
    made.append(memoryview(b"x" * 100), 0, coming)
    assert made.capacity() == 100 + min(coming, (TRUST - 1) * 100)


def test_a_message_that_was_announced_whole_is_never_copied() -> None:
    made = Assembly()
    made.append(memoryview(b"x" * 100), 0, 200)
    room = made.capacity()
    made.append(memoryview(b"y" * 200), 0, 0)
    assert made.capacity() == room == 300
