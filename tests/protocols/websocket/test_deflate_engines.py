"""Every implementation of zlib that is installed writes what the standard one reads."""

from __future__ import annotations

import random
import zlib

import pytest

from lineman.protocols.websocket import deflate_engines as zlibs
from lineman.protocols.websocket.deflate_engines import Engine, fastest

TAIL = b"\x00\x00\xff\xff"

INSTALLED = [Engine("zlib", zlib.compressobj, level) for level in (1, 2, 6, 9)]
if zlibs.ISAL is not None:
    INSTALLED += [Engine("isal", zlibs.ISAL, level) for level in (1, 2)]
if zlibs.ZLIB_NG is not None:
    INSTALLED += [Engine("zlib-ng", zlibs.ZLIB_NG, level) for level in (2, 3, 6, 9)]

each_engine = pytest.mark.parametrize("engine", INSTALLED, ids=lambda e: f"{e.name}-{e.level}")


def messages() -> list[bytes]:
    """Messages with repetitions as near and as far as a window goes, and a bit farther."""
    rng = random.Random(7692)
    found = [b"x", b"abc" * 5, bytes(3000), rng.randbytes(2000)]
    for bits in range(9, 16):
        for more in (-263, -262, -1, 0, 1):
            block = rng.randbytes((1 << bits) + more)
            found.append(block + block[:300] + block[-300:])
    return found


MESSAGES = messages()


@each_engine
@pytest.mark.parametrize("bits", range(9, 16))
def test_a_stream_ends_with_the_tail_and_fits_the_window(engine: Engine, bits: int) -> None:
    for message in MESSAGES:
        stream = engine.stream(bits, 5)
        data = stream.compress(message) + stream.flush(zlibs.SYNC_FLUSH)
        assert data.endswith(TAIL)
        assert zlib.decompressobj(-bits).decompress(data) == message


@each_engine
def test_a_kept_stream_refers_to_earlier_messages(engine: Engine) -> None:
    stream = engine.stream(15, 5)
    reader = zlib.decompressobj(-15)
    message = random.Random(1).randbytes(5000)
    sizes = []
    for _ in range(3):
        data = stream.compress(message) + stream.flush(zlibs.SYNC_FLUSH)
        assert data.endswith(TAIL)
        assert reader.decompress(data) == message
        sizes.append(len(data))
    assert sizes[0] > 5000
    assert max(sizes[1:]) < 500


def other(level: int, method: int, wbits: int, memory: int, /) -> zlibs.DeflateStream:
    """Stands for an implementation that is or is not installed here."""
    return zlib.compressobj(level, method, wbits, memory)


@pytest.mark.parametrize(
    ("level", "bits", "is_kept", "has_isal", "has_ng", "name", "own_level"),
    [
        (1, 15, False, True, True, "isal", 1),
        (2, 15, False, True, True, "isal", 2),
        (2, 9, False, True, False, "isal", 2),
        (3, 15, False, True, True, "zlib-ng", 3),
        (3, 15, False, True, False, "zlib", 3),
        (1, 15, False, False, True, "zlib-ng", 2),
        (9, 15, False, False, True, "zlib-ng", 9),
        (1, 15, False, False, False, "zlib", 1),
        (2, 15, True, True, True, "isal", 2),
        (2, 14, True, True, True, "zlib", 2),
        (6, 15, True, True, True, "zlib", 6),
        (2, 15, True, False, True, "zlib", 2),
    ],
)
def test_the_fastest_is_chosen_by_level_and_memory(
    level: int, bits: int, is_kept: bool, has_isal: bool, has_ng: bool, name: str, own_level: int
) -> None:
    engine = fastest(level, bits, is_kept, other if has_isal else None, other if has_ng else None)
    assert (engine.name, engine.level) == (name, own_level)


def test_without_other_arguments_an_installed_one_is_chosen() -> None:
    assert fastest(2, 15, False).name in {engine.name for engine in INSTALLED}


def test_a_package_that_is_not_installed_is_none() -> None:
    assert zlibs._compressobj("lineman.no_such_module") is None
    assert zlibs._compressobj("zlib") is zlib.compressobj
