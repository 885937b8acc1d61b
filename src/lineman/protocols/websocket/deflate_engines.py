"""Which implementation of zlib compresses what we send: the fastest one that is installed.

Data from a client is decompressed by the standard library's zlib alone, whatever else is
installed: it is the most attacked and best repaired of them, no slower below 64 KiB, and the
judge of what is valid. ISA-L accepts damaged data that zlib refuses, and holds output back.

No bytes are invalid for a compressor, so there speed decides. CPU of one message in
microseconds and how many times smaller it became (JSON, a fresh stream for each message, on an
AMD EPYC with zlib 1.2.13, zlib-ng 2.3.3 from zlib-ng 1.1.0, and isal 1.9.1):

    level       1 KiB                     8 KiB                     64 KiB
                isal   zlib-ng  zlib      isal   zlib-ng  zlib      isal   zlib-ng   zlib
    1        6.4/2.4   4.5/1.9  7.7/2.4  16/3.2   18/2.4  27/3.3   96/3.4   123/2.6   388/3.4
    2        6.9/2.4   8.1/2.4  7.8/2.5  17/3.2   25/3.4  29/3.5  100/3.4   173/3.7   430/3.7
    3        8.0/2.4   8.8/2.5  7.7/2.5  29/3.4   33/3.7  33/3.6  197/3.6   352/4.0   665/4.1
    6                  9.2/2.6  9.8/2.6           49/3.9  69/3.9           1322/4.7  1972/4.6

So ISA-L takes levels 1 and 2, zlib-ng every level from 2 on (its level 1 hardly compresses).
"""

from __future__ import annotations

import importlib
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

SYNC_FLUSH = zlib.Z_SYNC_FLUSH


class DeflateStream(Protocol):
    """A stream of deflate that is being written; `zlib.compressobj` makes one."""

    def compress(self, data: bytes, /) -> bytes:
        """What of the stream is ready after these bytes."""

    def flush(self, mode: int, /) -> bytes:
        """The rest of the stream so far."""


class MakeStream(Protocol):
    """`compressobj` of any of the implementations."""

    def __call__(self, level: int, method: int, wbits: int, memory: int, /) -> DeflateStream:
        """A new stream."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One implementation, and the level at which it does what was asked for.

    Attributes:
        name: `zlib`, `zlib-ng` or `isal`, as the package is called.
        make: its `compressobj`.
        level: its own number for the level.
    """

    name: str
    make: MakeStream
    level: int

    def stream(self, window_bits: int, memory_level: int) -> DeflateStream:
        """A new raw deflate stream with a window of 2**`window_bits` bytes, 9 to 15."""
        return self.make(self.level, zlib.DEFLATED, -window_bits, memory_level)


def _compressobj(module: str) -> MakeStream | None:
    """The `compressobj` of an optional package, None where it is not installed."""
    try:
        found: Any = importlib.import_module(module)
    except ImportError:
        return None
    make: MakeStream = found.compressobj
    return make


ISAL = _compressobj("isal.isal_zlib")
ZLIB_NG = _compressobj("zlib_ng.zlib_ng")


def fastest(
    level: int,
    window_bits: int,
    is_kept: bool,
    isal: MakeStream | None = ISAL,
    zlib_ng: MakeStream | None = ZLIB_NG,
) -> Engine:
    """The implementation to compress with.

    Args:
        level: zlib's level, 1 to 9.
        window_bits: the largest window that the streams may get.
        is_kept: whether a stream lives as long as its connection, so that its memory counts:
            zlib-ng takes 276 KiB where zlib takes 150 and ISA-L 65 to 108, and only zlib takes
            less for a smaller window.
        isal: the `compressobj` of `isal.isal_zlib`, None for doing without.
        zlib_ng: that of `zlib_ng.zlib_ng`.
    """
    if isal is not None and level <= 2 and (window_bits == 15 or not is_kept):
        return Engine("isal", isal, level)
    if zlib_ng is not None and not is_kept:
        return Engine("zlib-ng", zlib_ng, max(level, 2))
    return Engine("zlib", zlib.compressobj, level)
