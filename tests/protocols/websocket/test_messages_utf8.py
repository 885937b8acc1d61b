"""Text that is not UTF-8 fails with the first byte that cannot be right, wherever it is cut."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.frames import LIMIT, MASKS, PING, TEXT, Frame, binary, check, last, more, text, written
from lineman.errors import ProtocolError
from lineman.protocols.websocket.decoder import Decoder, Event

TAIL = (0x80, 0xBF)
# RFC 3629, section 4: the ranges of each byte of a character.
SHAPES = (
    ((0x00, 0x7F),),
    ((0xC2, 0xDF), TAIL),
    ((0xE0, 0xE0), (0xA0, 0xBF), TAIL),
    ((0xE1, 0xEC), TAIL, TAIL),
    ((0xED, 0xED), (0x80, 0x9F), TAIL),
    ((0xEE, 0xEF), TAIL, TAIL),
    ((0xF0, 0xF0), (0x90, 0xBF), TAIL, TAIL),
    ((0xF1, 0xF3), TAIL, TAIL, TAIL),
    ((0xF4, 0xF4), (0x80, 0x8F), TAIL, TAIL),
)


def first_impossible(data: bytes) -> int | None:
    """Where the first byte stands that no UTF-8 has there; None if what is missing can come."""
    waiting: tuple[tuple[int, int], ...] = ()
    for position, byte in enumerate(data):
        if not waiting:
            waiting = next((shape for shape in SHAPES if shape[0][0] <= byte <= shape[0][1]), ())
        if not waiting or not waiting[0][0] <= byte <= waiting[0][1]:
            return position
        waiting = waiting[1:]
    return None


IMPOSSIBLE = {
    "a continuation byte alone": b"\x80",
    "the last continuation byte alone": b"\xbf",
    "six continuation bytes": b"\x80\x81\x82\x83\x84\x85",
    "one continuation byte too many": "é".encode() + b"\x80",
    "overlong slash in 2": b"\xc0\xaf",
    "overlong slash in 3": b"\xe0\x80\xaf",
    "overlong slash in 4": b"\xf0\x80\x80\xaf",
    "overlong slash in 5": b"\xf8\x80\x80\x80\xaf",
    "overlong slash in 6": b"\xfc\x80\x80\x80\x80\xaf",
    "overlong NUL in 2": b"\xc0\x80",
    "overlong NUL in 3": b"\xe0\x80\x80",
    "overlong NUL in 4": b"\xf0\x80\x80\x80",
    "last overlong in 2": b"\xc1\xbf",
    "last overlong in 3": b"\xe0\x9f\xbf",
    "last overlong in 4": b"\xf0\x8f\xbf\xbf",
    "first surrogate": b"\xed\xa0\x80",
    "last of the high surrogates": b"\xed\xaf\xbf",
    "first of the low surrogates": b"\xed\xb0\x80",
    "last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "one above U+10FFFF": b"\xf4\x90\x80\x80",
    "U+13FFFF": b"\xf4\xbf\xbf\xbf",
    "U+140000": b"\xf5\x80\x80\x80",
    "U+1FFFFF": b"\xf7\xbf\xbf\xbf",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfd\xbf\xbf\xbf\xbf\xbf",
    "FE": b"\xfe",
    "FF": b"\xff",
    "FE FF": b"\xfe\xff",
    "2 bytes broken after 1": b"\xc3(",
    "3 bytes broken after 1": b"\xe7(",
    "3 bytes broken after 2": b"\xe7\x94(",
    "4 bytes broken after 1": b"\xf0(",
    "4 bytes broken after 2": b"\xf0\x9f(",
    "4 bytes broken after 3": b"\xf0\x9f\xaa(",
    "a character that begins inside one": b"\xe7\xe7\x94\xb5",
    "a character that begins at the end of one": b"\xf0\x9f\xaa\xf0\x9f\xaa\xa2",
}
POSSIBLE = (
    "\x00", "\x7f", "\x80", "\u07ff", "\u0800", "\u0fff", "\u1000", "\ucfff", "\ud000", "\ud7ff",
    "\ue000", "\ufdd0", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0001ffff",
    "\U0003ffff", "\U00040000", "\U000fffff", "\U00100000", "\U0010fffe", "\U0010ffff",
)  # fmt: skip

both_sides = pytest.mark.parametrize("masked", [True, False], ids=["server", "client"])
each_impossible = pytest.mark.parametrize(
    "bad",
    [
        before + bad + after
        for bad in IMPOSSIBLE.values()
        for before, after in ((b"", b""), ("aé电🪢".encode(), "电".encode()))
    ],
    ids=[f"{name}, {where}" for name in IMPOSSIBLE for where in ("alone", "between others")],
)
each_possible = pytest.mark.parametrize("good", POSSIBLE, ids=ascii)

NOT_UTF8 = [("error", 1007, "UTF-8")]


def fails_at(decoder: Decoder, pieces: list[bytes]) -> int | None:
    """The number of the feed that gave the error; None if none did."""
    for i, piece in enumerate(pieces):
        events: list[Event] = decoder.feed(piece)
        if events:
            check(events, NOT_UTF8)
            return i
    return None


# Impossible sequences.


@both_sides
@each_impossible
def test_impossible_text_fails_in_a_whole_frame(bad: bytes, masked: bool) -> None:
    frames = [text("kept"), text(bad), text("ignored")]
    check(Decoder(LIMIT, masked).feed(written(frames, masked)), [("text", "kept"), *NOT_UTF8])


@both_sides
@each_impossible
def test_impossible_text_fails_while_its_frame_is_arriving(bad: bytes, masked: bool) -> None:
    wire = Frame(TEXT, bad + bytes(100)).wire(masked, MASKS[0])
    head = len(wire) - len(bad) - 100
    payload = wire[head : head + len(bad)]
    position = first_impossible(bad)
    assert position is not None
    for step in range(1, 6):
        decoder = Decoder(LIMIT, masked)
        assert decoder.feed(wire[:head]) == []
        pieces = [payload[i : i + step] for i in range(0, len(payload), step)]
        assert fails_at(decoder, pieces) == position // step


@both_sides
@each_impossible
def test_impossible_text_fails_while_its_message_is_arriving(bad: bytes, masked: bool) -> None:
    position = first_impossible(bad)
    assert position is not None
    for step in range(1, 6):
        decoder = Decoder(LIMIT, masked)
        assert decoder.feed(text("", False).wire(masked, MASKS[1])) == []
        parts = [bad[i : i + step] for i in range(0, len(bad), step)]
        pieces = [written([more(part), more()], masked) for part in parts]
        assert fails_at(decoder, pieces) == position // step


@both_sides
@each_impossible
def test_impossible_text_fails_wherever_it_is_fragmented(bad: bytes, masked: bool) -> None:
    for cut in range(len(bad) + 1):
        frames = [text(bad[:cut], False), last(bad[cut:])]
        check(Decoder(LIMIT, masked).feed(written(frames, masked)), NOT_UTF8)


@both_sides
@each_impossible
def test_the_same_bytes_are_a_good_binary_message_or_ping(bad: bytes, masked: bool) -> None:
    for cut in range(len(bad) + 1):
        frames = [binary(bad[:cut], False), Frame(PING, bad), last(bad[cut:])]
        events = Decoder(LIMIT, masked).feed(written(frames, masked))
        check(events, [("ping", bad), ("binary", bad)])


@pytest.mark.parametrize("is_whole", [True, False])
def test_every_pair_of_bytes_is_judged_as_the_rfc_does(is_whole: bool) -> None:
    for pair in map(bytes, itertools.product(range(256), repeat=2)):
        head = b"\x81\x02" if is_whole else b"\x81\x7d"
        events = Decoder(LIMIT, expects_mask=False).feed(head + pair)
        if first_impossible(pair) is not None:
            is_right = len(events) == 1 and isinstance(events[0], ProtocolError)
        elif is_whole:
            try:
                is_right = events == [pair.decode()]
            except UnicodeDecodeError:
                is_right = isinstance(events[0], ProtocolError)
        else:
            is_right = not events
        assert is_right, pair


def edges_of_long_characters() -> Iterator[bytes]:
    for shape in SHAPES:
        if len(shape) > 2:
            for first in range(shape[0][0], shape[0][1] + 1):
                for second in shape[1]:
                    yield bytes((first, second))
                    if len(shape) > 3:
                        yield from (bytes((first, second, third)) for third in TAIL)


def test_every_third_and_fourth_byte_is_judged_as_the_rfc_does() -> None:
    for begin in edges_of_long_characters():
        for byte in range(256):
            decoder = Decoder(LIMIT, expects_mask=False)
            assert decoder.feed(b"\x81\x7d" + begin) == []
            is_bad = first_impossible(begin + bytes((byte,))) is not None
            assert bool(decoder.feed(bytes((byte,)))) is is_bad, (begin, byte)


# Possible ones.


@both_sides
@each_possible
def test_a_character_may_be_cut_anywhere(good: str, masked: bool) -> None:
    message = f"é{good}电"
    payload = message.encode()
    for cut in range(len(payload) + 1):
        decoder = Decoder(LIMIT, masked)
        frames = [text(payload[:cut], False), last(payload[cut:])]
        assert decoder.feed(written(frames, masked)) == [message]
        wire = written([text(payload)], masked)
        start = len(wire) - len(payload) + cut
        assert decoder.feed(wire[:start]) + decoder.feed(wire[start:]) == [message]


@both_sides
@each_possible
def test_text_that_ends_inside_a_character_fails_when_it_ends(good: str, masked: bool) -> None:
    payload = good.encode()
    for cut in range(1, len(payload)):
        begin = b"a" + payload[:cut]
        wire = written([text(begin)], masked)
        check(Decoder(LIMIT, masked).feed(wire), NOT_UTF8)
        assert fails_at(Decoder(LIMIT, masked), [wire[:-1], wire[-1:]]) == 1
        steps = [text(begin, False), more(), last()]
        pieces = [frame.wire(masked, MASKS[0]) for frame in steps]
        assert fails_at(Decoder(LIMIT, masked), pieces) == 2
        steps = [text("", False), last(begin)]
        pieces = [frame.wire(masked, MASKS[0]) for frame in steps]
        assert fails_at(Decoder(LIMIT, masked), pieces) == 1


@both_sides
def test_a_character_may_not_go_on_in_the_next_message(masked: bool) -> None:
    begin, rest = b"\xe7\x94", b"\xb5"
    for first in ([text("电")], [text(begin, False), last(rest)], [binary(begin)]):
        events = Decoder(LIMIT, masked).feed(written([*first, text(rest)], masked))
        assert len(events) == 2
        check(events[1:], NOT_UTF8)


@both_sides
def test_every_character_of_unicode_passes(masked: bool) -> None:
    planes = [range(0xD800), range(0xE000, 0x110000)]
    message = "".join(map(chr, itertools.chain(*planes)))
    payload = message.encode()
    wire = Frame(TEXT, payload).wire(masked, bytes(4))
    decoder = Decoder(len(payload), masked)
    events = [e for i in range(0, len(wire), 4093) for e in decoder.feed(wire[i : i + 4093])]
    assert events == [message]


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.text(max_size=4).map(str.encode)
        | st.binary(max_size=3)
        | st.sampled_from(sorted(IMPOSSIBLE.values())),
        max_size=8,
    ).map(b"".join),
    st.integers(1, 9),
)
def test_any_text_fails_in_the_feed_of_its_first_impossible_byte(data: bytes, step: int) -> None:
    position = first_impossible(data)
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    expected = None if position is None else position // step
    decoder = Decoder(LIMIT, expects_mask=False)
    decoder.feed(b"\x81\x7e\x10\x00")  # a frame of 4096 bytes, which will not all come
    assert fails_at(decoder, pieces) == expected
    decoder = Decoder(LIMIT, expects_mask=False)
    decoder.feed(b"\x01\x00")
    assert fails_at(decoder, [more(piece).wire(False, b"") for piece in pieces]) == expected
