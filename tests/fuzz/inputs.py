"""The inputs of the fuzzers: nearly valid bytes, made by hypothesis."""

from __future__ import annotations

import zlib
from itertools import pairwise
from random import Random

from hypothesis import strategies as st

from kit.frames import Frame, written
from lineman.protocols.websocket.frames import encode, encode_masked

SIZES = st.sampled_from([0, 1, 2, 3, 4, 7, 8, 9, 124, 125, 126, 127, 128, 300, 65_535, 65_536])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40).map(str.encode)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Noise, or many bytes of one kind."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return draw(st.binary(max_size=300))
    if kind == 1:
        return deflated(draw(TEXTS) * draw(st.integers(1, 50)), draw(st.integers(9, 15)))
    return draw(st.sampled_from([b"\x00", b"\xff", b"x", b"\xc3\xa4"])) * draw(SIZES)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """UTF-8, nearly always."""
    if draw(st.integers(0, 9)) == 0:
        return draw(payloads())
    return draw(TEXTS) * draw(st.sampled_from([1, 1, 2, 10]))


def deflated(data: bytes, bits: int = 15) -> bytes:
    """Compressed as a message is (RFC 7692, section 7.2.1)."""
    stream = zlib.compressobj(wbits=-bits)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


BROKEN = st.builds(
    Frame,
    opcode=st.sampled_from(range(16)),
    payload=payloads(),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 4, 1, 7]),
    declared=st.sampled_from([None] * 4 + [0, 126, 2**16, 2**31, 2**32, 2**62, 2**63, 2**64 - 1]),
    form=st.sampled_from([None, None, 64]),
    wrong_mask=st.sampled_from([False, False, True]),
)


@st.composite
def mutated(draw: st.DrawFn, wire: bytes) -> bytes:
    """A few bytes changed, taken out or put in."""
    out = bytearray(wire)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2, 5]))):
        if not out:
            break
        at = draw(st.integers(0, len(out) - 1))
        what = draw(st.integers(0, 2))
        if what == 0:
            out[at] = draw(st.integers(0, 255))
        elif what == 1:
            del out[at]
        else:
            out[at:at] = draw(st.binary(max_size=4))
    return bytes(out)


@st.composite
def messages(draw: st.DrawFn, deflates: bool) -> list[Frame]:
    """A valid message in fragments, with control frames between them."""
    opcode = draw(st.sampled_from([1, 2]))
    payload = draw(texts() if opcode == 1 else payloads())
    rsv = 4 if deflates and draw(st.booleans()) else 0
    if rsv:
        payload = deflated(payload)
    count = draw(st.sampled_from([0, 0, 1, 3]))
    cuts = sorted(draw(st.integers(0, len(payload))) for _ in range(count))
    frames = []
    for start, stop in pairwise([0, *cuts, len(payload)]):
        is_first, is_last = not frames, len(frames) == len(cuts)
        frames.append(
            Frame(opcode if is_first else 0, payload[start:stop], is_last, rsv * is_first)
        )
    if draw(st.booleans()):
        control = Frame(draw(st.sampled_from([9, 10])), draw(st.binary(max_size=125)))
        frames.insert(draw(st.integers(0, len(frames))), control)
    return frames


@st.composite
def streams(draw: st.DrawFn, masked: bool, deflates: bool) -> bytes:
    """Messages, one behind another, of which one frame may be broken."""
    frames = [
        frame for message in draw(st.lists(messages(deflates), max_size=4)) for frame in message
    ]
    if draw(st.integers(0, 3)) == 0:
        frames.insert(draw(st.integers(0, len(frames))), draw(BROKEN))
    if draw(st.integers(0, 3)) == 0:
        payload = draw(st.sampled_from([b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\x03\xed"]))
        frames.append(Frame(8, payload))
    return draw(mutated(written(frames, masked)))


@st.composite
def pieces(draw: st.DrawFn, wire: bytes) -> list[bytes]:
    """The bytes, cut anywhere."""
    cuts = draw(st.lists(st.integers(0, len(wire)), max_size=6))
    return [wire[start:stop] for start, stop in pairwise([0, *sorted(cuts), len(wire)])]


def random_stream(random: Random, masked: bool, deflates: bool) -> bytes:
    """Messages in fragments, with control frames between them; at times something is wrong."""
    wire = bytearray()

    def frame(opcode: int, payload: bytes, fin: bool, rsv: int) -> None:
        bits = rsv << 4 | fin << 7
        if masked:
            wire.extend(encode_masked(opcode, payload, random.randbytes(4), bits))
        else:
            wire.extend(encode(opcode, payload, bits))

    for _ in range(random.randrange(1, 6)):
        size = random.choice([random.randrange(10), random.randrange(300), 65_535, 65_536])
        opcode = random.choice([1, 2])
        payload = b"\xc3\xa4" * (size // 2) if opcode == 1 else random.randbytes(size)
        rsv = 4 if deflates and random.random() < 0.5 else 0
        payload = deflated(payload) if rsv else payload
        count = random.choice([0, 0, 1, 4])
        cuts = sorted(random.randrange(len(payload) + 1) for _ in range(count))
        for start, stop in pairwise([0, *cuts, len(payload)]):
            frame(opcode, payload[start:stop], stop == len(payload), rsv)
            opcode = rsv = 0
            if random.random() < 0.1:
                frame(random.choice([9, 10]), random.randbytes(random.randrange(126)), True, 0)
    if random.random() < 0.2:
        frame(8, random.choice([b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03"]), True, 0)
    if random.random() < 0.3:
        for _ in range(random.randrange(1, 4)):
            wire[random.randrange(len(wire))] = random.randrange(256)
    return bytes(wire)


LINES = st.sampled_from([
    b"Host: example.com", b"Host: [::1]:80", b"Upgrade: websocket", b"Upgrade: h2c, websocket",
    b"Connection: Upgrade", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Version: 8, 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Protocol: a, b,,c", b"Origin: https://example.com",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8, x; y=\"\\a\"",
    b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
    b"Cookie: a=b; c=\"d\"; =; e", b"X-Real-IP: 192.0.2.1", b"X-Forwarded-For: 1.2.3.4, ::1, x",
    b"Forwarded: for=\"[2001:db8::1]:47\";proto=https, for=_x", b" folded", b"no colon", b": x",
])  # fmt: skip
STARTS = st.sampled_from([
    b"GET / HTTP/1.1", b"GET /a%2fb?x=%zz&y HTTP/1.1", b"POST / HTTP/1.1", b"HEAD * HTTP/1.0",
    b"GET http://h/p HTTP/1.1", b"PRI * HTTP/2.0", b"get / http/1.1",
])  # fmt: skip
HANDSHAKE = (
    b"GET / HTTP/1.1", b"Host: example.com", b"Upgrade: websocket", b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """HTTP requests of different kinds, some with a body, some a handshake."""
    out = b""
    for _ in range(draw(st.integers(1, 3))):
        lines = [*HANDSHAKE] if draw(st.booleans()) else [draw(STARTS)]
        lines += draw(st.lists(LINES, max_size=8))
        out += b"\r\n".join([*lines, b"", b""])
        out += draw(st.sampled_from([b"", b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"\x81\x80abcd"]))
    return draw(mutated(out))
