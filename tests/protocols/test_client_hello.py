from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.protocols.client_hello import BEGINNING, MAX_SIZE, ClientHello, announced, parse


def hello(name: str | None, protocols: list[str], *, padding: int = 0) -> bytes:
    """The first record of OpenSSL's own client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Many protocols make a long message.
    offered = [*protocols, *(f"padding-{number:04}-{'x' * 200}" for number in range(padding))]
    if offered:
        context.set_alpn_protocols(offered)
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


def in_records(record: bytes, size: int) -> bytes:
    """The same message in records of at most `size` bytes, as some clients cut it."""
    message = record[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(record[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


ACME = hello("chat.example.com", ["acme-tls/1"])
SAID = ClientHello("chat.example.com", (b"acme-tls/1",))


def test_name_and_protocols_are_found() -> None:
    assert parse(ACME) == SAID


def test_the_name_is_in_lower_case() -> None:
    found = parse(hello("Chat.Example.COM", ["h2", "http/1.1"]))
    assert found == ClientHello("chat.example.com", (b"h2", b"http/1.1"))


def test_a_client_may_name_no_host_and_no_protocol() -> None:
    assert parse(hello(None, [])) == ClientHello("", ())


def test_every_beginning_asks_for_more() -> None:
    for size in range(len(ACME)):
        assert parse(ACME[:size]) is None, size


def test_what_follows_the_message_changes_nothing() -> None:
    assert parse(ACME + b"GET / HTTP/1.1\r\n\r\n") == SAID


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_a_message_may_lie_in_several_records(size: int) -> None:
    cut = in_records(ACME, size)
    assert parse(cut) == SAID
    for end in range(len(cut)):
        assert parse(cut[:end]) is None, end
    assert parse(cut + b"more") == SAID


def test_a_long_message_is_read() -> None:
    found = parse(hello("chat.example.com", ["acme-tls/1"], padding=40))
    assert found is not None
    assert found.protocols[0] == b"acme-tls/1"
    assert len(found.protocols) == 41


def edited(at: int, value: bytes) -> bytes:
    return ACME[:at] + value + ACME[at + len(value) :]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no handshake record"),
        (b"\x80\x2e\x01\x00\x02", "no handshake record"),  # SSL 2
        (edited(5, b"\x02"), "no ClientHello"),
        (edited(3, b"\x00\x00"), "length that TLS does not allow"),
        (edited(3, b"\xff\xff"), "length that TLS does not allow"),
        (edited(6, (MAX_SIZE + 1).to_bytes(3, "big")), "too long"),
        (edited(76, b"\xff\xff"), "past the end"),  # the length of the cipher suites
        (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", "past the end"),
        (b"\x16\x03\x01\x00\x01\x01\x15\x03\x01", "no handshake record"),
        (ACME.replace(b"chat.example.com", b"ch\xffat.example.co"), "ascii"),
    ],
)
def test_what_is_no_client_hello_is_told(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(data)


@given(st.binary(max_size=600))
def test_garbage_is_refused_or_waits(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert parse(data) is None or data[0] == 22


@given(st.integers(0, len(ACME) - 1), st.integers(0, 255), st.integers(0, len(ACME)))
def test_a_damaged_message_never_does_more_than_raise(at: int, byte: int, end: int) -> None:
    damaged = bytearray(ACME)
    damaged[at] = byte
    with contextlib.suppress(ValueError):
        found = parse(bytes(damaged[:end]))
        assert found is None or isinstance(found, ClientHello)


# How long it is going to be.


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100, 16384])
def test_its_length_is_told_as_soon_as_it_stands_there(size: int) -> None:
    data = in_records(ACME, size)
    said = [announced(data[:end]) for end in range(len(data))]
    first = next(end for end, length in enumerate(said) if length is not None)
    assert first <= BEGINNING
    assert set(said[:first]) == {None}
    assert set(said[first:]) == {len(ACME) - 5}


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x00\x16\x03\x01\x00\x04\x01\x02\x00\x00",  # an empty record
        b"\x16\x03\x01\x00\x01\x01\x15\x03\x01\x00\x02\x01\x5a",  # a warning within
    ],
)
def test_a_length_that_is_hidden_behind_other_records_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"record"):
        announced(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16GET ",
        b"\x16\x03\x01\x40\x01\x01",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x05",
    ],
)
def test_what_openssl_refuses_at_once_has_no_length(data: bytes) -> None:
    assert announced(data) == 0


@given(st.binary(max_size=BEGINNING))
def test_garbage_has_a_length_or_is_refused_or_waits(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert announced(data) in (None, 0) or len(data) >= 9
