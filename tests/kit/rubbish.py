"""The invalid bytes of hostile peers, from a generator with a seed."""

from __future__ import annotations

import contextlib
import ssl
from random import Random

from lineman.protocols.websocket import frames
from lineman.testing.client import encode_frame

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


def noise(random: Random) -> bytes:
    """Random bytes."""
    return random.randbytes(random.choice([1, 2, 5, 100, 2000, 70_000]))


def half_request(random: Random) -> bytes:
    """A handshake that ends in the middle."""
    return HANDSHAKE[: random.randrange(len(HANDSHAKE))]


def mutated_request(random: Random) -> bytes:
    """A handshake with a few bytes changed."""
    wire = bytearray(HANDSHAKE)
    for _ in range(random.randrange(1, 6)):
        wire[random.randrange(len(wire))] = random.randrange(256)
    return bytes(wire)


def client_hello(random: Random) -> bytes:
    """The beginning of TLS, perhaps changed, perhaps cut."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    wire = bytearray(outgoing.read())
    for _ in range(random.randrange(0, 4)):
        wire[random.randrange(len(wire))] = random.randrange(256)
    return bytes(wire[: random.randrange(1, len(wire) + 1)])


def frame(random: Random) -> bytes:
    """A frame: valid, invalid, changed or cut."""
    size = random.choice([0, 1, 2, 125, 126, 300, 66_000])
    opcode = random.choice([frames.TEXT, frames.BINARY, frames.PING, *range(16)])
    wire = bytearray(
        encode_frame(
            opcode,
            random.randbytes(size),
            fin=random.random() < 0.8,
            reserved=random.choice([0, 0, 0, 0, 0x40, 0x30]),
        )
    )
    if random.random() < 0.3:
        wire[random.randrange(len(wire))] = random.randrange(256)
    return bytes(wire[: random.choice([len(wire), random.randrange(1, len(wire) + 1)])])
