"""Frames: opcodes, masking, and how a frame is written.

Source: RFC 6455, section 5.2 (base framing), 5.3 (masking).

Compiled modules find what is done for every message in `frames.h`, by `frames.pxd`.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from lineman.base.buffers import Memory, Room

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

FIN = 0x80
RSV1 = 0x40
RSV = 0x70
MASKED = 0x80

MAX_CONTROL_PAYLOAD = 125


class Sizes(NamedTuple):
    """How large the two parts of a frame are.

    Attributes:
        head: bytes of its header; 0 where `ordinary` says that it is not ordinary.
        payload: bytes of its payload.
    """

    head: int
    payload: int


_NOT_ORDINARY = Sizes(0, 0)


def ordinary(frame: Memory, available: int) -> Sizes:
    """The sizes of a frame of the ordinary kind; no header for any other, right or wrong.

    All of its bytes are here, it is a whole message, uncompressed, masked, its length in the
    shortest form and below 4 GiB.

    Args:
        frame: where it begins.
        available: bytes that are there.
    """
    if available < 6 or frame[0] not in (0x81, 0x82) or not frame[1] & MASKED:
        return _NOT_ORDINARY
    head, payload = 6, frame[1] & 0x7F
    if payload >= 126:
        head, shortest = (8, 126) if payload == 126 else (14, 65536)
        if available < head:
            return _NOT_ORDINARY
        payload = int.from_bytes(frame[2 : head - 4], "big")
        if not shortest <= payload < 1 << 32:
            return _NOT_ORDINARY
    return Sizes(head, payload) if payload <= available - head else _NOT_ORDINARY


def word_of(data: Memory, at: int) -> int:
    """Four bytes as a number, the first lowest."""
    return int.from_bytes(data[at : at + 4], "little")


def unmask(data: Memory, start: int, size: int, mask: int) -> bytes:
    """Bytes with their mask taken off.

    Args:
        data: where they lie.
        start: where they begin.
        size: how many they are.
        mask: its first byte, which belongs to the first of them, lowest; 0 for none.
    """
    return apply_mask(data[start : start + size], mask.to_bytes(4, "little"))


def unmask_ascii(data: Memory, start: int, size: int, mask: int) -> str | None:
    """Like `unmask`, as a text; None where it is not ASCII."""
    clear = unmask(data, start, size, mask)
    return clear.decode("ascii") if clear.isascii() else None


def mask_into(to: Room, at: int, data: Memory, size: int, mask: int) -> None:
    """Puts the first `size` bytes of the data, masked or with their mask taken off, at `at`."""
    to[at : at + size] = unmask(data, 0, size, mask)


def put_header(to: Room, first: int, size: int) -> int:
    """Writes the header of an unmasked frame; how many bytes that is.

    Args:
        to: where to.
        first: the frame's first byte: opcode, FIN and reserved bits.
        size: bytes of payload.
    """
    if size < 126:
        to[0], to[1] = first, size
        return 2
    written = header(first & 0x0F, size, first & 0xF0)
    to[: len(written)] = written
    return len(written)


def apply_mask(data: bytes | bytearray | memoryview, mask: bytes) -> bytes:
    """The payload with the mask applied; doing it twice gives the payload back.

    Args:
        data: any number of bytes.
        mask: 4 bytes; the first belongs to the first byte of `data`.
    """
    size = len(data)
    repeated = mask * (size // 4) + mask[: size % 4]
    # One XOR of two long integers: the quickest that plain Python has.
    masked = int.from_bytes(data, sys.byteorder) ^ int.from_bytes(repeated, sys.byteorder)
    return masked.to_bytes(size, sys.byteorder)


def header(opcode: int, size: int, first_bits: int = FIN) -> bytes:
    """The header of an unmasked frame, as a server sends it, with the shortest length.

    Args:
        opcode: one of this module's opcodes.
        size: bytes of payload, 0 to 2**63 - 1.
        first_bits: FIN and RSV1 bits of the first byte.
    """
    first = first_bits | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def encode(opcode: int, payload: bytes, first_bits: int = FIN) -> bytes:
    """A whole unmasked frame."""
    return header(opcode, len(payload), first_bits) + payload


def encode_masked(opcode: int, payload: bytes, mask: bytes, first_bits: int = FIN) -> bytes:
    """A whole masked frame, as a client sends it; `mask` is 4 fresh random bytes."""
    head = bytearray(header(opcode, len(payload), first_bits))
    head[1] |= MASKED
    return bytes(head) + mask + apply_mask(payload, mask)
