import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.frames import MASKS, masking
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Decoder, Ping, Pong
from lineman.protocols.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    apply_mask,
    encode,
    encode_masked,
    header,
)

MASK = bytes.fromhex("37fa213d")

any_mask = st.binary(min_size=4, max_size=4)

HEADERS = {
    0: "8200",
    1: "8201",
    125: "827d",
    126: "827e007e",
    127: "827e007f",
    255: "827e00ff",
    256: "827e0100",
    65535: "827effff",
    65536: "827f0000000000010000",
    65537: "827f0000000000010001",
    (1 << 31) - 1: "827f000000007fffffff",
    1 << 32: "827f0000000100000000",
    (1 << 63) - 1: "827f7fffffffffffffff",
}


def test_opcodes_and_bits_are_those_of_the_rfc() -> None:
    assert (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG) == (0, 1, 2, 8, 9, 10)
    assert (FIN, RSV1, frames.RSV, frames.MASKED) == (0x80, 0x40, 0x70, 0x80)
    assert frames.MAX_CONTROL_PAYLOAD == 125


# Headers.


@pytest.mark.parametrize(("size", "expected"), HEADERS.items())
def test_a_header_has_the_shortest_length(size: int, expected: str) -> None:
    written = header(BINARY, size)
    assert type(written) is bytes
    assert written.hex() == expected


@pytest.mark.parametrize(
    ("opcode", "bits", "first"),
    [
        (TEXT, FIN, 0x81),
        (TEXT, 0, 0x01),
        (TEXT, FIN | RSV1, 0xC1),
        (BINARY, RSV1, 0x42),
        (CONTINUATION, 0, 0x00),
        (CONTINUATION, FIN, 0x80),
        (CLOSE, FIN, 0x88),
        (PING, FIN, 0x89),
        (PONG, FIN, 0x8A),
    ],
)
def test_the_first_byte_holds_the_opcode_and_the_bits_that_are_given(
    opcode: int, bits: int, first: int
) -> None:
    assert header(opcode, 5, bits) == bytes((first, 5))
    assert encode(opcode, b"Hello", bits) == bytes((first, 5)) + b"Hello"
    assert encode_masked(opcode, b"Hello", MASK, bits)[0] == first


# Whole frames.


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
def test_an_encoded_frame_is_its_header_and_its_payload(size: int) -> None:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    frame = encode(BINARY, payload)
    assert type(frame) is bytes
    assert frame == bytes.fromhex(HEADERS[size]) + payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
def test_a_masked_frame_says_so_and_holds_its_mask(size: int) -> None:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    frame = encode_masked(BINARY, payload, MASK)
    assert type(frame) is bytes
    head = bytearray.fromhex(HEADERS[size])
    head[1] |= 0x80
    assert frame == bytes(head) + MASK + masking(payload, MASK)


def test_the_examples_of_the_rfc_are_written() -> None:
    assert encode(TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")
    assert encode_masked(TEXT, b"Hello", MASK) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert encode(TEXT, b"Hel", 0) + encode(CONTINUATION, b"lo") == b"\x01\x03Hel\x80\x02lo"
    assert encode(PING, b"Hello") == bytes.fromhex("890548656c6c6f")
    assert encode_masked(PONG, b"Hello", MASK) == bytes.fromhex("8a8537fa213d7f9f4d5158")
    assert encode(BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert encode(BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")


@settings(deadline=None)
@given(st.binary(max_size=300) | st.integers(65530, 65540).map(bytes), any_mask)
def test_what_is_encoded_is_decoded(payload: bytes, mask: bytes) -> None:
    assert Decoder(1 << 20, expects_mask=False).feed(encode(BINARY, payload)) == [payload]
    assert Decoder(1 << 20).feed(encode_masked(BINARY, payload, mask)) == [payload]
    control = payload[:125]
    assert Decoder(0).feed(encode_masked(PING, control, mask)) == [Ping(control)]
    assert Decoder(0).feed(encode_masked(PONG, control, mask)) == [Pong(control)]


# Masking.


@pytest.mark.parametrize("mask", MASKS, ids=bytes.hex)
def test_each_byte_is_masked_with_its_byte_of_the_mask(mask: bytes) -> None:
    for size in (*range(70), 125, 126, 127, 128, 1000, 4095, 4096, 4097, 65537):
        payload = (bytes(range(256)) * (size // 256 + 1))[:size]
        masked = apply_mask(payload, mask)
        assert type(masked) is bytes
        assert masked == masking(payload, mask)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_part_of_a_buffer_can_be_masked_and_the_buffer_stays(
    kind: type[bytes | bytearray | memoryview],
) -> None:
    original = bytes(range(100, 180))
    buffer = kind(original)
    for start in range(10):
        for stop in range(start, 80):
            part = buffer[start:stop]
            assert apply_mask(part, MASK) == masking(original[start:stop], MASK)
    assert bytes(buffer) == original


@given(st.binary(max_size=200), any_mask)
def test_masking_twice_gives_the_payload_back(payload: bytes, mask: bytes) -> None:
    assert apply_mask(apply_mask(payload, mask), mask) == payload


@given(st.binary(max_size=200), any_mask, st.integers(0, 200))
def test_a_rotated_mask_goes_on_where_the_first_part_ended(
    payload: bytes, mask: bytes, cut: int
) -> None:
    first, second = payload[:cut], payload[cut:]
    turned = mask[cut % 4 :] + mask[: cut % 4]
    parts = apply_mask(first, mask) + apply_mask(second, turned)
    assert parts == apply_mask(payload, mask)
