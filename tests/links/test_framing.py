from __future__ import annotations

from typing import Any

import pytest

from lineman.links.framing import (
    LENGTH,
    BadMessageError,
    Message,
    WireFormat,
    encode,
    encode_frames,
)


class Told(Message, tag=1):
    text: str


class Counted(Message, tag=2):
    number: int


FORMAT = WireFormat(Told | Counted)
BATCH: list[Message] = [Told("a"), Counted(2), Told("é" * 1000)]


def decoded(frames: list[bytes]) -> list[Any]:
    found = []
    for frame in frames:
        assert int.from_bytes(frame[:LENGTH], "big") == len(frame) - LENGTH
        found += FORMAT.decode_batch(frame[LENGTH:])
    return found


def test_a_batch_is_one_frame_and_comes_back() -> None:
    frames, bad = encode_frames(BATCH)
    assert (len(frames), bad) == (1, [])
    assert decoded(frames) == BATCH
    assert FORMAT.decode(encode(Counted(7))) == Counted(7)


def test_what_is_too_large_for_one_frame_goes_in_several() -> None:
    batch: list[Message] = [Told("x" * 12) for _ in range(5)]
    frames, bad = encode_frames(batch, 30)
    assert bad == []
    assert len(frames) > 1
    assert max(map(len, frames)) <= LENGTH + 30
    assert decoded(frames) == batch


def test_a_message_that_no_frame_carries_takes_no_other_along() -> None:
    large, wrong = Told("x" * 100), Told("\ud800")
    frames, bad = encode_frames([Counted(1), large, Counted(2), wrong, Counted(3)], 30)
    assert decoded(frames) == [Counted(1), Counted(2), Counted(3)]
    assert [message for message, _ in bad] == [large, wrong]
    assert "30 are allowed" in bad[0][1]


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\xc1",
        b"\x91\x93\1\2\3",  # a message with too much in it
        b"\x91\x92\3\1",  # of no kind that is taken here
        b"\x91\x92\2\xa1a",  # a field of another type
        b"\x91\x92\1\xa1\xff",  # text that is no UTF-8
        b"\x91" * 2000,
    ],
)
def test_what_is_no_message_is_refused(wire: bytes) -> None:
    with pytest.raises(BadMessageError, match="not a message of this version"):
        FORMAT.decode_batch(wire)
