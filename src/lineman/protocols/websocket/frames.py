"""Frames: opcodes, masking, and how a frame is written.

Source: RFC 6455, section 5.2 (base framing), 5.3 (masking).
"""

from __future__ import annotations

import sys

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


def whole(first: int, payload: bytes) -> bytes:
    """A whole unmasked frame; `first` is its first byte: opcode, FIN and reserved bits."""
    return header(first & 0x0F, len(payload), first & 0xF0) + payload


def encode_masked(opcode: int, payload: bytes, mask: bytes, first_bits: int = FIN) -> bytes:
    """A whole masked frame, as a client sends it; `mask` is 4 fresh random bytes."""
    head = bytearray(header(opcode, len(payload), first_bits))
    head[1] |= MASKED
    return bytes(head) + mask + apply_mask(payload, mask)
