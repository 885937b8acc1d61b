"""What a link has sent and the other end has not confirmed."""

from __future__ import annotations

import pytest

from lineman.gateway.wire.messages import TO_GATEWAY, LinkPong, Send
from lineman.links import records
from lineman.links.framing import LENGTH, encode_frames
from lineman.links.records import TEXT, Record
from lineman.links.unconfirmed import NAMES, Summary, Unconfirmed, contents


def record(number: int, text: bytes = b"hello") -> bytes:
    out = bytearray()
    records.put(out, TEXT, number, text, len(text))
    return bytes(out)


def read(data: bytes, summary: Summary) -> None:
    """Each byte is an order for a name of its own."""
    summary.add(len(data), iter(f"{byte}" for byte in data))


def test_what_was_confirmed_is_forgotten_also_in_the_middle_of_what_was_sent_at_once() -> None:
    kept = Unconfirmed(100, read)
    kept.add(b"abc")
    kept.add(bytearray(b"defg"))
    assert kept.summary().count == 7
    kept.confirm(101)
    assert kept.summary().count == 6
    kept.confirm(104)
    found = kept.summary()
    assert found.count == 3
    assert list(found.names) == [str(ord(letter)) for letter in "efg"]
    kept.confirm(107)
    assert kept.summary().count == 0


@pytest.mark.parametrize("handled", [-5, 0, 99])
def test_an_older_confirmation_changes_nothing(handled: int) -> None:
    kept = Unconfirmed(100, read)
    kept.add(b"abc")
    kept.confirm(101)
    kept.confirm(handled)
    assert kept.summary().count == 2


def test_no_more_can_be_confirmed_than_was_sent() -> None:
    kept = Unconfirmed(0, read)
    kept.add(b"abc")
    kept.confirm(1 << 62)
    kept.add(b"d")
    assert kept.summary().count == 1


def test_beyond_the_limit_the_number_and_some_names_are_kept_and_no_bytes() -> None:
    kept = Unconfirmed(0, read, limit=10)
    for _ in range(100):
        kept.add(b"abc")
    assert sum(len(part) for _, part in kept._parts if not isinstance(part, Summary)) == 9
    assert kept.summary().count == 300
    kept.confirm(9)
    assert kept.summary().count == 291
    kept.add(b"xyz")  # there is room again
    assert not isinstance(kept._parts[-1][1], Summary)
    kept.confirm(10)  # of a summary nobody knows what was in its first byte
    assert kept.summary().count == 294
    kept.confirm(303)
    assert kept.summary().count == 0


def test_a_summary_has_some_names_and_each_only_once() -> None:
    summary = Summary()
    read(b"aab", summary)
    assert list(summary.names) == ["97", "98"]
    read(bytes(range(100)), summary)
    assert summary.count == 103
    assert len(summary.names) == NAMES


def test_the_bytes_of_a_link_are_read_in_order() -> None:
    frame = encode_frames([Send("hi", uids=("anna",)), LinkPong()])[0][0]
    done = bytearray()
    records.put_done(done, 7, 3)
    found = list(contents(record(7) + frame + bytes(done) + record(8, b""), TO_GATEWAY))
    assert [one for one in found if isinstance(one, Record)] == [
        Record(TEXT, 5, 7),
        Record(records.DONE, 3, 7),
        Record(TEXT, 0, 8),
    ]
    assert [type(one).__name__ for one in found] == ["Record", "Send", "LinkPong"] + ["Record"] * 2
    assert len(frame) > LENGTH
