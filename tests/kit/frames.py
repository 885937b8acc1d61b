"""Writes valid and broken frames, and feeds them in many ways.

It does not use the package's own encoder, so that encoder and decoder cannot share a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise, product
from typing import Any

from lineman.errors import ProtocolError
from lineman.protocols.websocket.decoder import Close, Decoder, Event, Ping, Pong

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

MASKS = tuple(map(bytes.fromhex, ("37fa213d", "00000000", "ffffffff", "01800240")))

LIMIT = 1 << 20

# An event in plain values: ("text", "a"), ("close", 1000, ""), ("error", 1002, "words").
Seen = tuple[Any, ...]


@dataclass(frozen=True)
class Frame:
    """One frame, valid or broken in one point.

    Attributes:
        rsv: the three reserved bits, 0 to 7.
        declared: the length in the header, if it differs from the payload's.
        form: bits of the length field (7, 16, 64); None for the shortest that fits.
        cut: how many bytes of the frame are sent; None for all.
        wrong_mask: masked where it must not be, or not masked where it must be.
    """

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    declared: int | None = None
    form: int | None = None
    cut: int | None = None
    wrong_mask: bool = False

    def wire(self, masked: bool, mask: bytes) -> bytes:
        """The frame's bytes."""
        masked ^= self.wrong_mask
        size = len(self.payload) if self.declared is None else self.declared
        form = self.form or (7 if size < 126 else 16 if size < 1 << 16 else 64)
        short = {7: size, 16: 126, 64: 127}[form]
        out = bytes((self.fin << 7 | self.rsv << 4 | self.opcode, masked << 7 | short))
        if form > 7:
            out += size.to_bytes(form // 8, "big")
        out += mask + masking(self.payload, mask) if masked else self.payload
        return out if self.cut is None else out[: self.cut]


def masking(payload: bytes, mask: bytes) -> bytes:
    """The definition of RFC 6455, section 5.3, word by word."""
    return bytes(octet ^ mask[i % 4] for i, octet in enumerate(payload))


def text(value: str | bytes, fin: bool = True) -> Frame:
    return Frame(TEXT, value.encode() if isinstance(value, str) else value, fin)


def binary(payload: bytes, fin: bool = True) -> Frame:
    return Frame(BINARY, payload, fin)


def more(value: str | bytes = b"", fin: bool = False) -> Frame:
    return Frame(CONTINUATION, value.encode() if isinstance(value, str) else value, fin)


def last(value: str | bytes = b"") -> Frame:
    return more(value, fin=True)


def written(frames: Sequence[Frame], masked: bool) -> bytes:
    """All the frames, each with another mask."""
    return b"".join(f.wire(masked, mask) for f, mask in zip(frames, cycle(MASKS), strict=False))


def seen(event: Event) -> Seen:
    """An event as plain values; fails unless its types are exactly the documented ones."""
    if type(event) is str:
        return "text", event
    if type(event) is bytes:
        return "binary", event
    if isinstance(event, Ping | Pong):
        assert type(event.payload) is bytes
        return type(event).__name__.lower(), event.payload
    if isinstance(event, Close):
        assert (type(event.code), type(event.reason)) == (int, str)
        return "close", event.code, event.reason
    assert type(event) is ProtocolError
    return "error", event.code, event.reason


def is_final(event: Seen) -> bool:
    return event[0] in ("close", "error")


def check(events: Sequence[Event], expected: Sequence[Seen], case: object = "") -> None:
    """Fails unless the events are the expected ones; a part of an error's reason is enough."""
    got = [seen(event) for event in events]
    for i, (one, wanted) in enumerate(zip(got, expected, strict=False)):
        if one[0] == wanted[0] == "error" and wanted[2] in one[2]:
            got[i] = (*one[:2], wanted[2])
    assert got == list(expected), case


# Ways of feeding.


def whole(decoder: Decoder, data: bytes) -> list[Event]:
    return decoder.feed(data)


def by_byte(decoder: Decoder, data: bytes) -> list[Event]:
    return [event for i in range(len(data)) for event in decoder.feed(data[i : i + 1])]


def from_a_reused_buffer(decoder: Decoder, data: bytes) -> list[Event]:
    """Feeds as a connection does: one buffer, overwritten by the next read."""
    buffer = bytearray(4099)
    events: list[Event] = []
    for start in range(0, len(data), len(buffer)):
        size = len(data[start : start + len(buffer)])
        buffer[:size] = data[start : start + size]
        events += decoder.feed(memoryview(buffer)[:size])
        buffer[:] = b"\xaa" * len(buffer)
    return events


def in_sevens(decoder: Decoder, data: bytes) -> list[Event]:
    return in_pieces(decoder, data, range(7, len(data), 7))


def in_pieces(decoder: Decoder, data: bytes, cuts: Sequence[int]) -> list[Event]:
    """Feeds pieces cut at these positions; the same position twice feeds an empty piece."""
    edges = [0, *cuts, len(data)]
    return [
        event
        for start, stop in pairwise(edges)
        for event in decoder.feed(bytearray(data[start:stop]))
    ]


Way = Callable[[Decoder, bytes], list[Event]]
WAYS: tuple[Way, ...] = (whole, by_byte, from_a_reused_buffer, in_sevens)
# Each way of feeding, as a server and as a client.
CASES = tuple(product(WAYS, (True, False)))
