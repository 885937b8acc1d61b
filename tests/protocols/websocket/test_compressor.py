"""When messages are compressed, and what is kept between them."""

from __future__ import annotations

import gc
import random
import tracemalloc

import pytest

from kit.inflating import (
    ALONE,
    ENGINES,
    LIMIT,
    OPTIONS,
    TAKEOVER,
    Way,
    by_byte,
    each_way,
    feed,
    whole,
)
from lineman.protocols.websocket.deflate import Compressor, Inflater, compressor
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions

# What is kept.


@each_way
def test_without_takeover_nothing_is_kept_between_messages(way: Way) -> None:
    inflater = Inflater(ALONE, LIMIT)
    assert inflater.is_idle
    payload = Compressor(15, False, OPTIONS).compress(random.Random(2).randbytes(60_000))
    way(inflater, payload)
    assert inflater.is_idle
    feed(inflater, payload[:100])
    assert not inflater.is_idle


@each_way
@pytest.mark.parametrize("bits", [8, 9, 12, 15])
def test_with_takeover_one_window_is_kept(bits: int, way: Way) -> None:
    agreement = Agreement(client_max_window_bits=bits)
    inflater = Inflater(agreement, LIMIT)
    noise = random.Random(2).randbytes(50_000)
    make = Compressor(9, False, OPTIONS).compress
    payloads = [make(noise), *(make(noise[:size]) for size in (9000, 3000, 800, 3000))]
    tracemalloc.start()
    try:
        for payload in payloads if way is by_byte else payloads * 9:
            way(inflater, payload)
        gc.collect()  # Python 3.14 keeps freed integers in a list of its own
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not inflater.is_idle
    assert kept < (1 << max(bits, 9)) * 1.5 + 2048


def test_connections_without_takeover_share_a_compressor() -> None:
    one = compressor(Agreement(True, False, 12, 15), OPTIONS)
    assert one is compressor(Agreement(True, True, 12, 9), DeflateOptions())
    assert one is not compressor(Agreement(True, False, 11, 15), OPTIONS)
    assert one is not compressor(Agreement(True, False, 12, 15), DeflateOptions(level=9))


def test_connections_with_takeover_have_a_compressor_each() -> None:
    assert compressor(TAKEOVER, OPTIONS) is not compressor(TAKEOVER, OPTIONS)


def test_each_side_compresses_with_its_own_parameters() -> None:
    server_alone = Agreement(server_no_context_takeover=True)
    assert compressor(server_alone, OPTIONS) is compressor(server_alone, OPTIONS)
    mine = compressor(server_alone, OPTIONS, is_server=False)
    assert mine is not compressor(server_alone, OPTIONS, is_server=False)


def test_a_shared_compressor_keeps_no_stream() -> None:
    shared = Compressor(15, False, OPTIONS, ENGINES[0])
    message = random.Random(3).randbytes(100_000)
    shared.compress(b"warm up")
    tracemalloc.start()
    try:
        size = len(shared.compress(message))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 100_000
    assert kept < 2000


def test_a_kept_stream_is_made_at_the_first_message() -> None:
    tracemalloc.start()
    try:
        kept = [Compressor(15, True, OPTIONS, ENGINES[0]) for _ in range(100)]
        before, _ = tracemalloc.get_traced_memory()
        kept[0].compress(b"Hello")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before < 100_000
    assert after > before + 100_000


def test_a_small_message_takes_little_memory() -> None:
    shared = Compressor(15, False, OPTIONS, ENGINES[0])
    message = b"Hello, hello. " * 73
    assert len(message) == 1022
    tracemalloc.start()
    try:
        shared.compress(message)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024


# When to compress.


@pytest.mark.parametrize("is_kept", [False, True])
def test_messages_below_the_threshold_go_as_they_are(is_kept: bool) -> None:
    for threshold in (0, 1, 100):
        one = Compressor(15, is_kept, DeflateOptions(threshold=threshold))
        assert one.shrink(b"a" * 100) is not None
        assert threshold == 0 or one.shrink(b"a" * (threshold - 1)) is None


def test_a_message_that_does_not_shrink_goes_as_it_is_without_takeover() -> None:
    noise = random.Random(5).randbytes(5000)
    assert Compressor(15, False, OPTIONS).shrink(noise) is None
    # With it the peer must see what the stream has seen.
    kept = Compressor(15, True, OPTIONS)
    inflater = Inflater(TAKEOVER, LIMIT)
    for _ in range(2):
        data = kept.shrink(noise)
        assert data is not None
        assert whole(inflater, data) == noise
    assert len(data) < 500


def test_a_compressor_says_who_does_it() -> None:
    assert compressor(ALONE, OPTIONS).engine in {"zlib", "isal", "zlib-ng"}
