"""Messages are compressed and inflated as RFC 7692 says; `websockets` is the other side."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode

from kit.inflating import (
    ALONE,
    ENGINES,
    HELLO,
    LIMIT,
    OPTIONS,
    TAKEOVER,
    Way,
    by_byte,
    each_agreement,
    each_engine,
    each_way,
    feed,
    finish,
    hexed,
    in_one_piece,
    in_pieces,
    whole,
    with_the_last_as_a_whole,
)
from lineman.errors import ProtocolError
from lineman.protocols.websocket.deflate import Compressor, Inflater, compressor
from lineman.protocols.websocket.deflate_engines import Engine
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions


def failure(way: Way, payload: bytes, inflater: Inflater | None = None) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        way(inflater or Inflater(ALONE, LIMIT), payload)
    return caught.value


# The examples of RFC 7692, section 7.2.3.

EXAMPLES = [
    ("7.2.3.1, one block", HELLO, b"Hello"),
    ("7.2.3.3, no compression", hexed("000500faff48656c6c6f00"), b"Hello"),
    ("7.2.3.4, BFINAL", hexed("f348cdc9c9070000"), b"Hello"),
    ("7.2.3.5, two blocks", hexed("f248050000 00ffff cac9c90700"), b"Hello"),
    ("7.2.3.6, an empty message", hexed("00"), b""),
]


@each_way
@each_agreement
@pytest.mark.parametrize(
    ("payload", "message"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES]
)
def test_the_examples_of_the_rfc_are_read(
    payload: bytes, message: bytes, agreement: Agreement, way: Way
) -> None:
    inflater = Inflater(agreement, LIMIT)
    for _ in range(3):
        assert way(inflater, payload) == message


def test_the_fragments_of_the_rfc_are_read() -> None:
    inflater = Inflater(ALONE, LIMIT)
    assert feed(inflater, hexed("f248cd")) + feed(inflater, hexed("c9c90700")) == b"Hello"
    assert finish(inflater) == b""


@each_engine
def test_the_examples_of_the_rfc_are_written(engine: Engine) -> None:
    alone = Compressor(15, False, OPTIONS, engine)
    assert alone.compress(b"Hello") == HELLO
    assert alone.compress(b"Hello") == HELLO
    assert alone.compress(b"") == b"\x00"


def test_the_second_hello_of_the_rfc_builds_on_the_first() -> None:
    # Section 7.2.3.2.
    kept = Compressor(15, True, OPTIONS, ENGINES[0])
    assert kept.compress(b"Hello") == HELLO
    assert kept.compress(b"Hello") == hexed("f200110000")


@each_way
def test_the_second_hello_of_the_rfc_is_read_with_takeover_only(way: Way) -> None:
    inflater = Inflater(TAKEOVER, LIMIT)
    assert way(inflater, HELLO) == b"Hello"
    assert way(inflater, hexed("f200110000")) == b"Hello"
    inflater = Inflater(ALONE, LIMIT)
    assert way(inflater, HELLO) == b"Hello"
    assert failure(way, hexed("f200110000"), inflater).code == 1007


# Final blocks.


@each_way
def test_the_window_goes_on_after_a_final_block(way: Way) -> None:
    """A sender without a flush may end each message by a final block and keep its window."""
    message = random.Random(4).randbytes(3000)
    inflater = Inflater(TAKEOVER, LIMIT)
    history = b""
    for _ in range(3):
        writer = (
            zlib.compressobj(wbits=-15, zdict=history) if history else zlib.compressobj(wbits=-15)
        )
        payload = writer.compress(message) + writer.flush(zlib.Z_FINISH) + b"\x00"
        assert way(inflater, payload) == message
        history += message
    assert len(payload) < 100


@each_way
def test_the_window_goes_on_after_a_final_block_inside_a_message(way: Way) -> None:
    message = random.Random(4).randbytes(3000)
    writer = zlib.compressobj(wbits=-15)
    first = writer.compress(message) + writer.flush(zlib.Z_FINISH)
    second = zlib.compressobj(wbits=-15, zdict=message)
    payload = first + second.compress(message) + second.flush(zlib.Z_SYNC_FLUSH)[:-4]
    assert way(Inflater(ALONE, LIMIT), payload) == message * 2


@each_way
@each_agreement
def test_nothing_after_a_final_block_is_let_pass(agreement: Agreement, way: Way) -> None:
    inflater = Inflater(agreement, LIMIT)
    assert way(inflater, hexed("f348cdc9c90700")) == b"Hello"
    assert way(inflater, HELLO) == b"Hello"


@each_way
def test_the_stored_block_of_the_flush_may_be_final(way: Way) -> None:
    # 01 begins a final stored block, whose length is what the receiver appends.
    inflater = Inflater(ALONE, LIMIT)
    assert way(inflater, b"\x01") == b""
    assert way(inflater, HELLO) == b"Hello"


@each_way
def test_a_message_of_no_bytes_is_empty(way: Way) -> None:
    inflater = Inflater(ALONE, LIMIT)
    assert way(inflater, b"") == b""
    assert way(inflater, HELLO) == b"Hello"


@pytest.mark.parametrize("way", [whole, in_one_piece])
def test_a_final_block_now_and_then_is_read(way: Way) -> None:
    writer = zlib.compressobj(wbits=-15)
    part = random.Random(1).randbytes(300)
    block = writer.compress(part) + writer.flush(zlib.Z_FINISH)
    assert way(Inflater(ALONE, LIMIT), block * 1000 + b"\x00") == part * 1000


@each_way
def test_a_flood_of_final_blocks_is_1008(way: Way) -> None:
    error = failure(way, hexed("0300") * 5000)
    assert (error.code, error.reason) == (1008, "compressed message in too many final blocks")


# What is no deflate.


@each_way
@each_agreement
@pytest.mark.parametrize(
    "payload",
    [
        hexed("07"),  # a block of the type that does not exist
        hexed("ffffffff"),
        hexed("000500faf048656c6c6f00"),  # lengths that are no complements
        hexed("f24805ff"),
        hexed("f348cdc9c90700ff"),  # garbage after a final block
        hexed("0000ffff"),  # no block is open any more
    ],
    ids=bytes.hex,
)
def test_what_is_not_deflate_is_1007(payload: bytes, agreement: Agreement, way: Way) -> None:
    error = failure(way, payload, Inflater(agreement, LIMIT))
    assert error.code == 1007
    assert error.reason == "compressed message that is not valid deflate data"


@each_way
def test_a_distance_beyond_the_agreed_window_is_read_however_it_is_cut(way: Way) -> None:
    message = random.Random(8).randbytes(5000) * 2
    payload = Compressor(15, False, OPTIONS, ENGINES[0]).compress(message)
    assert way(Inflater(Agreement(False, True, 15, 9), LIMIT), payload) == message


@each_way
def test_a_message_that_is_cut_off_is_1007(way: Way) -> None:
    message = b"the same as ever, " * 20 + bytes(range(256))
    payload = Compressor(15, False, OPTIONS, ENGINES[0]).compress(message)
    for size in range(1, len(payload) - 1):
        assert failure(way, payload[:size]).code == 1007, size


@each_way
def test_a_tail_that_was_not_removed_is_1007(way: Way) -> None:
    assert failure(way, HELLO + hexed("0000ffff")).code == 1007


@settings(max_examples=300)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5), st.booleans())
@example(b"\x03\x00" * 100, [], False)
def test_garbage_raises_nothing_but_protocol_errors(
    payload: bytes, cuts: list[int], is_kept: bool
) -> None:
    assert_all_ways_agree(payload, [cut for cut in sorted(cuts) if cut < len(payload)], is_kept)


@settings(max_examples=300)
@given(
    st.binary(max_size=300).map(lambda b: b + b[:50]),
    st.integers(0, 400),
    st.integers(0, 7),
    st.lists(st.integers(0, 400), max_size=5),
    st.integers(0, 400),
    st.booleans(),
)
def test_damaged_messages_raise_nothing_but_protocol_errors(
    message: bytes, at: int, bit: int, cuts: list[int], limit: int, is_kept: bool
) -> None:
    payload = bytearray(Compressor(15, False, OPTIONS).compress(message))
    payload[at % len(payload)] ^= 1 << bit
    cuts = [cut for cut in sorted(cuts) if cut < len(payload)]
    assert_all_ways_agree(bytes(payload), cuts, is_kept, limit)


def assert_all_ways_agree(
    payload: bytes, cuts: Sequence[int], is_kept: bool, limit: int = 1000
) -> None:
    agreement = TAKEOVER if is_kept else ALONE

    codes = set()

    def ending(way: Way) -> bytes | None:
        inflater = Inflater(agreement, limit)
        whole(inflater, HELLO[: len(HELLO) if limit >= 5 else 0])
        try:
            message = way(inflater, payload)
        except ProtocolError as error:
            codes.add(error.code)
            return None
        assert len(message) <= limit
        return message

    expected = ending(whole)
    assert ending(in_one_piece) == expected
    assert ending(by_byte) == expected
    assert ending(lambda inflater, data: in_pieces(inflater, data, cuts)) == expected
    # Which of two faults is seen first depends on where the cut is.
    assert codes <= {1007, 1008, 1009}


# The size.


@each_way
@each_agreement
def test_a_message_may_have_the_size_and_not_a_byte_more(agreement: Agreement, way: Way) -> None:
    make = Compressor(15, False, OPTIONS, ENGINES[0])
    for size in (0, 1, 100, 5000):
        fits = make.compress(b"a" * size)
        inflater = Inflater(agreement, size)
        for _ in range(2):
            assert way(inflater, fits) == b"a" * size
        error = failure(way, make.compress(b"a" * (size + 1)), inflater)
        assert error.code == 1009
        assert error.reason == f"message of more than {size} bytes (max_message_size)"


def test_the_size_counts_over_final_blocks() -> None:
    writer = zlib.compressobj(wbits=-15)
    block = writer.compress(b"a" * 60) + writer.flush(zlib.Z_FINISH)
    assert whole(Inflater(ALONE, 120), block * 2 + b"\x00") == b"a" * 120
    assert failure(whole, block * 2 + b"\x00", Inflater(ALONE, 119)).code == 1009


def test_a_size_beyond_every_address_is_no_limit() -> None:
    assert whole(Inflater(ALONE, 1 << 70), HELLO) == b"Hello"


def zeros(mebibytes: int) -> bytes:
    """A payload that inflates to that many MiB, made without making these."""
    writer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = writer.compress(bytes(1 << 20)) + writer.flush(zlib.Z_FULL_FLUSH)
    return (block * mebibytes)[:-4]


@pytest.mark.parametrize("way", [whole, in_one_piece, with_the_last_as_a_whole])
@each_agreement
def test_a_bomb_costs_one_error_and_bounded_memory(agreement: Agreement, way: Way) -> None:
    bomb = zeros(1024)
    assert len(bomb) < 1_100_000
    limit = 100_000
    inflater = Inflater(agreement, limit)
    failure(way, HELLO + b"\xff", Inflater(agreement, limit))  # whatever is made once
    tracemalloc.start()
    try:
        assert failure(way, bomb, inflater).code == 1009
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The payload with the tail after it and what zlib did not take of it, or their halves.
    assert peak < 2 * len(bomb) + 4 * limit


def test_a_bomb_fails_in_the_piece_that_passes_the_size() -> None:
    bomb = zeros(16)
    inflater = Inflater(ALONE, 3 << 20)
    size = len(bomb) // 64
    got = sum(len(feed(inflater, bomb[i * size : (i + 1) * size])) for i in range(11))
    assert 2 << 20 < got <= 3 << 20
    with pytest.raises(ProtocolError, match="1009"):
        feed(inflater, bomb[11 * size : 13 * size])


# Round trips.

texts = st.lists(
    st.sampled_from([b"alpha", b'{"id": 1}', b"\x00" * 300, b"x" * 7, bytes(range(256)), b""]),
    max_size=40,
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(texts | st.binary(max_size=600), max_size=6),
    st.sampled_from(ENGINES),
    st.booleans(),
    st.integers(9, 15),
    st.integers(1, 9),
    st.lists(st.integers(0, 2000), max_size=6).map(sorted),
    st.booleans(),
)
def test_messages_come_back_however_they_are_cut(
    messages: list[bytes],
    engine: Engine,
    is_kept: bool,
    bits: int,
    memory_level: int,
    cuts: list[int],
    is_server: bool,
) -> None:
    flags = (not is_kept, True) if not is_server else (True, not is_kept)
    sizes = (bits, 15) if not is_server else (15, bits)
    agreement = Agreement(*flags, *sizes)
    writer = Compressor(bits, is_kept, DeflateOptions(memory_level=memory_level), engine)
    readers = [Inflater(agreement, LIMIT, is_server) for _ in range(3)]
    for message in messages:
        payload = writer.compress(message)
        for reader, way in zip(readers, (whole, by_byte, None), strict=True):
            if way is None:
                got = in_pieces(reader, payload, [cut for cut in cuts if cut < len(payload)])
            else:
                got = way(reader, payload)
            assert got == message


@each_engine
@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_large_messages_come_back(engine: Engine, is_kept: bool, bits: int) -> None:
    rng = random.Random(bits)
    words = [rng.randbytes(rng.randrange(1, 12)) for _ in range(300)]
    writer = Compressor(bits, is_kept, OPTIONS, engine)
    agreement = Agreement(not is_kept, not is_kept, bits, bits)
    first, second = Inflater(agreement, LIMIT), Inflater(agreement, LIMIT, is_server=False)
    for size in (100, 20_000, 80_000, 30):
        message = b" ".join(rng.choices(words, k=size))
        payload = writer.compress(message)
        assert whole(first, payload) == message
        assert in_pieces(second, payload, range(1000, len(payload), 1000)) == message


# With `websockets` on the other side.

FLAGS = (True, False)
AGREEMENTS = [Agreement(*v) for v in product(FLAGS, FLAGS, (9, 10, 12, 15), (9, 10, 12, 15))]
TALK = [b"Hello", b"Hello", b"", b"", b"abc" * 1000, bytes(range(256)) * 20, b"Hello" * 9000]


@pytest.mark.parametrize("is_server", [True, False])
def test_websockets_and_we_read_each_other(is_server: bool) -> None:
    for agreement in AGREEMENTS:
        server = (agreement.server_no_context_takeover, agreement.server_max_window_bits)
        client = (agreement.client_no_context_takeover, agreement.client_max_window_bits)
        (our_flag, our_bits), (their_flag, their_bits) = (
            (server, client) if is_server else (client, server)
        )
        them = PerMessageDeflate(our_flag, their_flag, our_bits, their_bits)
        ours = compressor(agreement, OPTIONS, is_server)
        inflater = Inflater(agreement, LIMIT, is_server)
        for message in TALK:
            theirs = them.encode(TheirFrame(Opcode.BINARY, message))
            assert theirs.rsv1
            assert whole(inflater, bytes(theirs.data)) == message, agreement
            frame = TheirFrame(Opcode.BINARY, ours.compress(message), rsv1=True)
            assert them.decode(frame, max_size=LIMIT).data == message, agreement


def test_websockets_and_we_read_each_others_fragments() -> None:
    message = random.Random(9).randbytes(500) * 8
    for agreement in (ALONE, TAKEOVER):
        alone = agreement is ALONE
        them = PerMessageDeflate(alone, alone, 15, 15)
        inflater = Inflater(agreement, LIMIT)
        ours = compressor(agreement, OPTIONS)
        for _ in range(3):
            got = b""
            for start in range(0, 4000, 1000):
                part = TheirFrame(
                    Opcode.BINARY if start == 0 else Opcode.CONT,
                    message[start : start + 1000],
                    fin=start == 3000,
                )
                got += feed(inflater, bytes(them.encode(part).data))
            assert got + finish(inflater) == message
            payload = ours.compress(message)
            first = them.decode(TheirFrame(Opcode.BINARY, payload[:100], fin=False, rsv1=True))
            second = them.decode(TheirFrame(Opcode.CONT, payload[100:], fin=True))
            assert bytes(first.data) + bytes(second.data) == message
