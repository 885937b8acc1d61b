import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit.frames import (
    BINARY,
    CASES,
    CONTINUATION,
    LIMIT,
    MASKS,
    PING,
    PONG,
    TEXT,
    WAYS,
    Frame,
    Seen,
    Way,
    binary,
    by_byte,
    check,
    in_pieces,
    is_final,
    last,
    more,
    seen,
    text,
    whole,
    written,
)
from lineman.errors import ProtocolError
from lineman.protocols.websocket import close
from lineman.protocols.websocket.decoder import Decoder, Event
from protocols.websocket.vectors import EXAMPLES, VECTORS, Vector

both_sides = pytest.mark.parametrize("masked", [True, False], ids=["server", "client"])
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)

thorough = settings(deadline=None, max_examples=200)


def test_vectors_have_names_of_their_own() -> None:
    assert len({vector.name for vector in VECTORS}) == len(VECTORS)


# The table.


@each_vector
def test_the_wire_gives_its_events(vector: Vector) -> None:
    for way, masked in CASES:
        decoder = Decoder(vector.limit, masked)
        events = way(decoder, vector.wire(masked))
        check(events, vector.events, (way, masked))
        assert decoder.is_mid_message is not vector.is_whole, (way, masked)


@each_vector
def test_what_follows_is_a_message_unless_the_end_came(vector: Vector) -> None:
    expected = list(vector.events)
    tail: list[Frame] = []
    if vector.is_whole:
        word = "tail"[: vector.limit]
        tail = [text(word), Frame(PING, b"tail")]
        if not any(map(is_final, expected)):
            expected += [("text", word), ("ping", b"tail")]
    for way, masked in CASES:
        wire = vector.wire(masked)
        if len(wire) < 1000 or way is whole:
            check(way(Decoder(vector.limit, masked), wire + written(tail, masked)), expected)
        decoder = Decoder(vector.limit, masked)
        events = whole(decoder, wire) + way(decoder, written(tail, masked))
        check(events, expected, (way, masked))


@each_vector
def test_the_wire_may_be_cut_anywhere(vector: Vector) -> None:
    for masked in (True, False):
        wire = vector.wire(masked)
        for cut in range(1, len(wire) if len(wire) < 70 else 15):
            decoder = Decoder(vector.limit, masked)
            events = decoder.feed(wire[:cut]) + decoder.feed(wire[cut:])
            check(events, vector.events, (cut, masked))


@pytest.mark.parametrize(("name", "wire", "masked", "events"), EXAMPLES)
@each_way
def test_the_examples_of_the_rfc_are_understood(
    way: Way, name: str, wire: bytes, masked: bool, events: Sequence[Seen]
) -> None:
    check(way(Decoder(LIMIT, masked), wire), events)


# Where a message begins and ends.


@both_sides
@pytest.mark.parametrize(
    "frame",
    [text("a"), text("a" * 200), binary(bytes(66000)), Frame(PING), Frame(PONG, b"ab")],
    ids=["short", "16 bits", "64 bits", "empty ping", "pong"],
)
def test_a_frame_is_mid_message_from_its_first_byte_to_its_last(frame: Frame, masked: bool) -> None:
    decoder = Decoder(LIMIT, masked)
    wire = written([frame], masked)
    assert not decoder.is_mid_message
    for byte in wire[:-1]:
        assert decoder.feed(bytes((byte,))) == []
        assert decoder.is_mid_message is True
    assert len(decoder.feed(wire[-1:])) == 1
    assert decoder.is_mid_message is False


@both_sides
def test_a_ping_between_fragments_does_not_end_the_message(masked: bool) -> None:
    decoder = Decoder(LIMIT, masked)
    states = []
    for frame in (text("", False), Frame(PING), more("a"), Frame(PONG), last(), Frame(PING)):
        decoder.feed(frame.wire(masked, MASKS[0]))
        states.append(decoder.is_mid_message)
    assert states == [True, True, True, True, False, False]


@both_sides
@each_way
@pytest.mark.parametrize("final", [Frame(8), Frame(3), more(b"\xff")], ids=str)
def test_nothing_comes_after_the_end_and_nothing_is_begun(
    way: Way, final: Frame, masked: bool
) -> None:
    decoder = Decoder(LIMIT, masked)
    events = way(decoder, written([text("a", False), final], masked))
    assert len(events) == 1
    for frame in (last(), text("late"), Frame(8), Frame(3)):
        assert decoder.is_mid_message is False
        assert way(decoder, frame.wire(masked, MASKS[0])) == []


@both_sides
def test_feeding_nothing_gives_nothing(masked: bool) -> None:
    decoder = Decoder(LIMIT, masked)
    assert decoder.feed(b"") == []
    assert decoder.is_mid_message is False
    for byte in written([text("é")], masked)[:-1]:
        assert decoder.feed(bytes((byte,))) == decoder.feed(b"") == decoder.feed(bytearray()) == []
        assert decoder.is_mid_message is True


def test_a_server_expects_masks_unless_told_otherwise() -> None:
    assert Decoder(LIMIT).feed(written([text("a")], masked=True)) == ["a"]
    assert Decoder(max_message_size=1, expects_mask=False).feed(b"\x81\x01a") == ["a"]


def test_two_decoders_know_nothing_of_each_other() -> None:
    one, other = Decoder(LIMIT), Decoder(LIMIT)
    for frame in (text(b"\xe7", False), more(b"\x94"), last(b"\xb5")):
        wire = frame.wire(True, MASKS[0])
        first = [one.feed(wire[:5]), other.feed(wire[:3])]
        events = [one.feed(wire[5:]), other.feed(wire[3:])]
        assert first == [[], []]
        assert events == ([["电"], ["电"]] if frame.fin else [[], []])


# What an event is.


def test_the_words_of_an_error_fit_a_close_frame_and_its_code_may_be_sent() -> None:
    for vector in VECTORS:
        for event in Decoder(vector.limit).feed(vector.wire(True)):
            if isinstance(event, ProtocolError):
                payload = close.encode(event.code, event.reason)
                assert close.decode(payload) == (event.code, event.reason), vector.name


BROKEN = {
    "bad header": [text("kept"), Frame(3)],
    "bad text": [text("kept"), text(b"\xff")],
    "bad text in a fragment": [text("kept"), text(b"\xff", False)],
    "text cut off": [text(b"\xe7")],
    "bad close": [text("kept"), Frame(8, b"\x03\xe8\xff")],
}


@both_sides
@pytest.mark.parametrize("frames", BROKEN.values(), ids=BROKEN.keys())
def test_an_error_that_is_kept_keeps_neither_the_buffer_nor_anything_else(
    frames: list[Frame], masked: bool
) -> None:
    buffer = bytearray(written(frames, masked))
    gc.collect()
    gc.disable()
    try:
        events = Decoder(LIMIT, masked).feed(buffer)
        buffer.clear()  # raises BufferError if anything still looks into it
        error = events[-1]
        assert isinstance(error, ProtocolError)
        assert error.__traceback__ is None
        assert error.__context__ is None
        del events, error
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_buffer_may_be_resized_while_a_message_is_unfinished() -> None:
    buffer = bytearray(written([binary(bytes(100))], True))
    rest = buffer[40:]
    del buffer[40:]
    decoder = Decoder(LIMIT)
    assert decoder.feed(buffer) == []
    buffer.clear()
    assert decoder.feed(memoryview(rest)) == [bytes(100)]


# Cost.


@contextmanager
def memory() -> Iterator[Callable[[], tuple[int, int]]]:
    """Gives a function that tells the bytes held now and at the worst moment."""
    tracemalloc.start()
    try:
        yield tracemalloc.get_traced_memory
    finally:
        tracemalloc.stop()


@both_sides
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fifty_thousand_empty_fragments_take_no_memory(opcode: int, masked: bool) -> None:
    decoder = Decoder(LIMIT, masked)
    decoder.feed(Frame(opcode, b"a", fin=False).wire(masked, MASKS[0]))
    thousand = written([more()] * 1000, masked)
    with memory() as used:
        for _ in range(50):
            assert decoder.feed(thousand) == []
        assert max(used()) < 16 * 1024
    assert decoder.feed(last().wire(masked, MASKS[0])) == ["a" if opcode == TEXT else b"a"]


@both_sides
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments_of_one_byte_take_a_byte_each(opcode: int, masked: bool) -> None:
    decoder = Decoder(LIMIT, masked)
    decoder.feed(Frame(opcode, fin=False).wire(masked, MASKS[0]))
    thousand = written([more("a")] * 1000, masked)
    with memory() as used:
        for _ in range(20):
            decoder.feed(thousand)
        assert used()[0] < 20_000 * 1.25 + 4096
    (message,) = decoder.feed(last().wire(masked, MASKS[0]))
    assert message == ("a" * 20_000 if opcode == TEXT else b"a" * 20_000)


@both_sides
def test_a_declared_length_takes_no_memory_before_its_bytes_come(masked: bool) -> None:
    decoder = Decoder(1 << 40, masked)
    wire = Frame(BINARY, declared=1 << 40, form=64).wire(masked, MASKS[0])
    with memory() as used:
        decoder.feed(wire + b"abc")
        assert max(used()) < 16 * 1024
    assert decoder.is_mid_message


@both_sides
@pytest.mark.parametrize("end", [last(), Frame(8), Frame(3), Frame(PING, declared=126)], ids=str)
def test_a_message_that_is_over_is_not_kept(end: Frame, masked: bool) -> None:
    start = binary(bytes(LIMIT), False).wire(masked, bytes(4))
    decoder = Decoder(LIMIT, masked)
    with memory() as used:
        decoder.feed(start)
        assert used()[0] > LIMIT
        decoder.feed(end.wire(masked, MASKS[0]))
        gc.collect()
        assert used()[0] < 64 * 1024


@both_sides
def test_pings_in_mid_message_leave_nothing_behind(masked: bool) -> None:
    decoder = Decoder(LIMIT, masked)
    decoder.feed(text("a", False).wire(masked, MASKS[0]))
    pings = written([Frame(PING, bytes(125))] * 100, masked)
    with memory() as used:
        for _ in range(100):
            assert len(decoder.feed(pings)) == 100
        assert used()[0] < 16 * 1024


def seconds_for(pieces: Sequence[bytes], start: bytes) -> float:
    decoder = Decoder(1 << 25, expects_mask=False)
    decoder.feed(start)
    began = time.process_time()
    for piece in pieces:
        decoder.feed(piece)
    return time.process_time() - began


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("pieces", [[b"\x00\x01a"] * 5000, [b"a"] * 5000], ids=["frames", "reads"])
def test_a_piece_costs_the_same_however_long_the_message_is(
    opcode: int, pieces: list[bytes]
) -> None:
    is_one_frame = len(pieces[0]) == 1
    short, long = (
        Frame(opcode, b"a" * size, is_one_frame, declared=1 << 24 if is_one_frame else None)
        for size in (1, 1 << 23)
    )
    baseline = min(seconds_for(pieces, short.wire(False, b"")) for _ in range(3))
    # Copying eight megabytes for each piece would take some thousand times as long.
    assert min(seconds_for(pieces, long.wire(False, b"")) for _ in range(3)) < 20 * baseline + 0.1


# Whatever comes.

CONTROL_FRAMES = st.builds(Frame, st.sampled_from([PING, PONG]), st.binary(max_size=125))
MESSAGES = st.text(max_size=300) | st.binary(max_size=300) | st.integers(0, 70000).map(bytes)
CUTS = st.lists(st.integers(0, 1 << 17), max_size=12)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[list[Frame], list[Seen]]:
    """Messages in fragments with control frames anywhere, and the events that they are."""
    frames: list[Frame] = []
    events: list[Seen] = []

    def interrupt() -> None:
        for frame in draw(st.lists(CONTROL_FRAMES, max_size=2)):
            frames.append(frame)
            events.append(("ping" if frame.opcode == PING else "pong", frame.payload))

    for message in draw(st.lists(MESSAGES, max_size=5)):
        payload = message.encode() if isinstance(message, str) else message
        cuts = draw(st.lists(st.integers(0, len(payload)), max_size=6).map(sorted))
        edges = [0, *cuts, len(payload)]
        opcode = TEXT if isinstance(message, str) else BINARY
        for i in range(len(cuts) + 1):
            interrupt()
            part = payload[edges[i] : edges[i + 1]]
            frames.append(Frame(CONTINUATION if i else opcode, part, fin=i == len(cuts)))
        events.append(("text" if isinstance(message, str) else "binary", message))
    interrupt()
    return frames, events


def fed_in_pieces(decoder: Decoder, wire: bytes, cuts: list[int]) -> list[Event]:
    return in_pieces(decoder, wire, sorted(cut % (len(wire) + 1) for cut in cuts))


@thorough
@given(conversations(), CUTS, st.booleans())
def test_messages_arrive_however_they_are_fragmented_and_cut(
    conversation: tuple[list[Frame], list[Seen]], cuts: list[int], masked: bool
) -> None:
    frames, expected = conversation
    decoder = Decoder(70000, masked)
    check(fed_in_pieces(decoder, written(frames, masked), cuts), expected)
    assert decoder.is_mid_message is False


OPCODES = st.sampled_from([0, 0, 0, 1, 1, 2, 2, 8, 9, 10, 3, 11])
ODD_FRAMES = st.builds(
    Frame,
    OPCODES,
    st.binary(max_size=30) | st.text(max_size=9).map(str.encode),
    st.booleans(),
    rsv=st.sampled_from([0] * 30 + [1, 2, 4]),
    form=st.sampled_from([None] * 30 + [16, 64]),
    cut=st.sampled_from([None] * 30 + [1, 7, 11]),
    wrong_mask=st.sampled_from([False] * 30 + [True]),
)
ODD_WIRES = st.builds(written, st.lists(ODD_FRAMES, max_size=12), st.booleans())
GARBAGE = ODD_WIRES | st.binary(max_size=200)


def flipped(frames: list[Frame], masked: bool, position: int) -> bytes:
    wire = bytearray(written(frames, masked))
    if wire:
        wire[position // 8 % len(wire)] ^= 1 << position % 8
    return bytes(wire)


ONE_BIT_OFF = st.builds(
    flipped, conversations().map(lambda both: both[0]), st.booleans(), st.integers(0, 1 << 20)
)


@settings(thorough, max_examples=300)
@given(GARBAGE | ONE_BIT_OFF, CUTS, st.booleans())
@example(b"\x81\x01\xc2", [2], False)
def test_garbage_never_raises_and_how_it_is_cut_changes_nothing(
    wire: bytes, cuts: list[int], masked: bool
) -> None:
    decoder = Decoder(400, masked)
    events = [seen(event) for event in whole(decoder, wire)]
    assert not any(map(is_final, events[:-1]))
    ways: tuple[Way, ...] = (by_byte, lambda decoder, data: fed_in_pieces(decoder, data, cuts))
    for way in ways:
        other = Decoder(400, masked)
        assert [seen(event) for event in way(other, wire)] == events
        assert other.is_mid_message is decoder.is_mid_message
    if events and is_final(events[-1]):
        assert decoder.feed(wire + written([text("late")], masked)) == []
