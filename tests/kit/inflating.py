"""For the tests of compression: agreements, every zlib, ways of feeding a message."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from lineman.protocols.websocket import deflate_engines as zlibs
from lineman.protocols.websocket.deflate import Inflater
from lineman.protocols.websocket.deflate_engines import Engine
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions

ALONE = Agreement(server_no_context_takeover=True, client_no_context_takeover=True)
TAKEOVER = Agreement()
OPTIONS = DeflateOptions()
LIMIT = 1 << 20

ENGINES = [Engine("zlib", zlib.compressobj, 1), Engine("zlib", zlib.compressobj, 6)]
if zlibs.ISAL is not None:
    ENGINES.append(Engine("isal", zlibs.ISAL, 2))
if zlibs.ZLIB_NG is not None:
    ENGINES.append(Engine("zlib-ng", zlibs.ZLIB_NG, 3))
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda e: f"{e.name}-{e.level}")


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


HELLO = hexed("f248cdc9c90700")

# Ways of feeding one message.


def whole(inflater: Inflater, payload: bytes) -> bytes:
    message = inflater.begin(payload)
    return take_all(inflater) if message is None else message


def feed(inflater: Inflater, piece: bytes) -> bytes:
    """The bytes that a piece of a message inflates to, as far as they are known yet."""
    inflater.put(piece, False)
    return take_all(inflater)


def finish(inflater: Inflater) -> bytes:
    """Ends a message; returns its remaining bytes, mostly none."""
    inflater.put(b"", True)
    return take_all(inflater)


def take_all(inflater: Inflater) -> bytes:
    parts = []
    while not inflater.is_hungry:
        parts.append(inflater.take())
    return b"".join(parts)


def in_one_piece(inflater: Inflater, payload: bytes) -> bytes:
    return feed(inflater, payload) + finish(inflater)


def by_byte(inflater: Inflater, payload: bytes) -> bytes:
    return in_pieces(inflater, payload, range(1, len(payload)))


def in_pieces(inflater: Inflater, payload: bytes, cuts: Sequence[int]) -> bytes:
    edges = [0, *cuts, len(payload)]
    got = [feed(inflater, payload[start:stop]) for start, stop in pairwise(edges)]
    return b"".join([*got, finish(inflater)])


def with_the_last_as_a_whole(inflater: Inflater, payload: bytes) -> bytes:
    half = len(payload) // 2
    return feed(inflater, payload[:half]) + whole(inflater, payload[half:])


Way = Callable[[Inflater, bytes], bytes]
each_way = pytest.mark.parametrize(
    "way", [whole, in_one_piece, by_byte, with_the_last_as_a_whole], ids=lambda f: f.__name__
)
each_agreement = pytest.mark.parametrize("agreement", [ALONE, TAKEOVER], ids=["alone", "takeover"])
