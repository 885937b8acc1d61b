"""The PROXY protocol: vectors of the specification, cut anywhere, damaged, and made at random."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lineman.protocols.proxies import proxy_header
from lineman.protocols.proxies.proxy_header import (
    MAX_PAYLOAD,
    SIGNATURE,
    ClientTls,
    HeaderError,
    NoHeaderError,
    ProxyHeader,
    crc32c,
    read,
)

V4 = ("192.0.2.7", "198.51.100.1")
V6 = ("2001:db8::7", "2001:db8::1")
V4_PAIR = bytes([192, 0, 2, 7, 198, 51, 100, 1])


def v2(family: int, addresses: bytes, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    """A header of version 2."""
    payload = addresses + tlvs
    return SIGNATURE + struct.pack("!BBH", command, family, len(payload)) + payload


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def inet(source: str, destination: str, ports: tuple[int, int] = (5000, 443)) -> bytes:
    packed = [ipaddress.ip_address(one).packed for one in (source, destination)]
    return b"".join(packed) + struct.pack("!HH", *ports)


def with_sum(family: int, addresses: bytes, tlvs: bytes) -> bytes:
    """A header that ends with its checksum (section 2.2.3)."""
    zeroed = v2(family, addresses, tlvs + tlv(0x03, bytes(4)))
    return zeroed[:-4] + crc32c(zeroed).to_bytes(4)


TLS = tlv(
    0x20,
    struct.pack("!BI", 0x07, 0)
    + tlv(0x21, b"TLSv1.3")
    + tlv(0x22, b"device 7")
    + tlv(0x23, b"TLS_AES_128_GCM_SHA256"),
)
V4_HEADER = ProxyHeader(2, False, (V4[0], 5000), (V4[1], 443))

GOOD = {
    "v1 tcp4": (
        b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n",
        ProxyHeader(1, False, (V4[0], 5000), (V4[1], 443)),
    ),
    "v1 tcp6": (
        b"PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n",
        ProxyHeader(1, False, (V6[0], 0), (V6[1], 65535)),
    ),
    "v1 mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n",
        ProxyHeader(1, False, (V4[0], 1), ("::1", 2)),
    ),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", ProxyHeader(1)),
    "v1 the longest": (
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        ProxyHeader(1),
    ),
    "v2 tcp4": (v2(0x11, inet(*V4)), V4_HEADER),
    "v2 tcp6": (v2(0x21, inet(*V6)), ProxyHeader(2, False, (V6[0], 5000), (V6[1], 443))),
    "v2 mapped": (
        v2(0x21, inet("::ffff:192.0.2.7", "::1")),
        ProxyHeader(2, False, (V4[0], 5000), ("::1", 443)),
    ),
    "v2 unix": (
        v2(0x31, b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")),
        ProxyHeader(2, False, ("unix", 0), ("unix", 0)),
    ),
    "v2 unspec": (v2(0x00, b""), ProxyHeader(2)),
    "v2 unspec with bytes": (v2(0x00, b"\xff" * 9), ProxyHeader(2)),
    "v2 local": (v2(0x00, b"", command=0x20), ProxyHeader(2, is_local=True)),
    "v2 local with bytes": (v2(0x99, b"\xff" * 40, command=0x20), ProxyHeader(2, is_local=True)),
    "v2 noop": (
        v2(0x11, inet(*V4), tlv(0x04, b"") + tlv(0x04, b"\0\0")),
        ProxyHeader(2, False, (V4[0], 5000), (V4[1], 443), ((4, b""), (4, b"\0\0"))),
    ),
    "v2 the longest": (
        v2(0x11, inet(*V4), tlv(0x04, bytes(MAX_PAYLOAD - 15))),
        ProxyHeader(2, False, (V4[0], 5000), (V4[1], 443), ((4, bytes(MAX_PAYLOAD - 15)),)),
    ),
}
MANY = b"".join(
    [
        tlv(0x01, b"http/1.1"),
        tlv(0x02, b"chat.example.com"),
        tlv(0x05, b"id-1"),
        TLS,
        tlv(0xEA, b"x"),
    ]
)


@pytest.mark.parametrize(("data", "header"), GOOD.values(), ids=GOOD)
def test_a_good_header_is_read_and_what_follows_it_is_left(
    data: bytes, header: ProxyHeader
) -> None:
    assert read(data) == (header, len(data))
    assert read(data + b"GET / HTTP/1.1\r\n\r\n") == (header, len(data))


@pytest.mark.parametrize("data", [one for one, _ in GOOD.values() if len(one) < 300])
def test_a_header_that_is_cut_anywhere_is_waited_for(data: bytes) -> None:
    for end in range(len(data)):
        assert read(data[:end]) is None, data[:end]


def test_what_a_proxy_tells_besides_is_there() -> None:
    found = read(with_sum(0x11, inet(*V4), MANY))
    assert found is not None
    header = found[0]
    assert header.client == (V4[0], 5000)
    assert header.alpn == "http/1.1"
    assert header.authority == "chat.example.com"
    assert header.unique_id == b"id-1"
    assert header.value(0xEA) == b"x"
    assert header.value(0xEB) is None
    assert header.tls == ClientTls("TLSv1.3", "TLS_AES_128_GCM_SHA256", "device 7", True)


@pytest.mark.parametrize(
    ("flags", "verify", "tls"),
    [
        (0x01, 0, ClientTls()),
        (0x03, 0, ClientTls(is_verified=True)),
        (0x05, 0, ClientTls(is_verified=True)),
        (0x03, 1, ClientTls()),
        (0x00, 0, None),
    ],
)
def test_a_client_is_verified_only_with_a_certificate_that_the_proxy_accepts(
    flags: int, verify: int, tls: ClientTls | None
) -> None:
    found = read(v2(0x11, inet(*V4), tlv(0x20, struct.pack("!BI", flags, verify))))
    assert found is not None
    assert found[0].tls == tls


def test_without_them_there_is_nothing() -> None:
    assert (V4_HEADER.alpn, V4_HEADER.authority, V4_HEADER.unique_id, V4_HEADER.tls) == (None,) * 4


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (ProxyHeader(2, is_local=True), None),
        (ProxyHeader(2), ("unknown", 0)),
        (ProxyHeader(1), ("unknown", 0)),
        (ProxyHeader(2, source=("unix", 0)), ("unix", 0)),
    ],
)
def test_who_the_client_is_where_there_is_no_address(
    header: ProxyHeader, client: tuple[str, int] | None
) -> None:
    assert header.client == client


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"PROPFIND / HTTP/1.1",
        b"proxy TCP4",
        b"\r\n\r\nGET",
        b"\0",
        b"PROXYTCP4",
    ],
)
def test_another_protocol_is_told_from_a_bad_header(data: bytes) -> None:
    with pytest.raises(NoHeaderError, match="not with a PROXY header"):
        read(data)


BAD = {
    "v1 no such protocol": (b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", "not of version 1"),
    "v1 lower case": (b"PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n", "not of version 1"),
    "v1 too few words": (b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "not of version 1"),
    "v1 too many words": (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", "not of version 1"),
    "v1 two spaces": (b"PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", "not of version 1"),
    "v1 nothing": (b"PROXY \r\n", "not of version 1"),
    "v1 v6 as v4": (b"PROXY TCP4 ::1 2.2.2.2 1 2\r\n", "not an IPv4 address"),
    "v1 v4 as v6": (b"PROXY TCP6 1.1.1.1 ::1 1 2\r\n", "not an IPv6 address"),
    "v1 leading zero": (b"PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n", "not an IPv4 address"),
    "v1 zone": (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "not an IPv6 address"),
    "v1 a name": (b"PROXY TCP4 localhost 2.2.2.2 1 2\r\n", "not an IPv4 address"),
    "v1 not ascii": (b"PROXY TCP4 \xd9\xa1.1.1.1 2.2.2.2 1 2\r\n", "not an IPv4 address"),
    "v1 high port": (b"PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", "not a port"),
    "v1 signed port": (b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n", "not a port"),
    "v1 zero before port": (b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", "not a port"),
    "v1 no port": (b"PROXY TCP4 1.1.1.1 2.2.2.2  2\r\n", "not a port"),
    "v1 endless": (b"PROXY " + b"x" * 101, "within 107 bytes"),
    "v1 end too late": (b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n", "within 107 bytes"),
    "v2 version 1": (SIGNATURE + b"\x11\x11\0\0", "version 1 follows"),
    "v2 version 3": (SIGNATURE + b"\x31\x11\0\0", "version 3 follows"),
    "v2 command": (SIGNATURE + b"\x22\x11\0\0", "command 2 is unknown"),
    "v2 too long": (SIGNATURE + b"\x21\x11\xff\xff", "65535 bytes; 4096 may be"),
    "v2 udp": (v2(0x12, inet(*V4)), "0x12 are none of a stream"),
    "v2 family": (v2(0x41, inet(*V4)), "0x41 are none of a stream"),
    "v2 short v4": (v2(0x11, inet(*V4)[:-1]), "11 bytes do not hold"),
    "v2 short v6": (v2(0x21, inet(*V4)), "12 bytes do not hold"),
    "v2 short unix": (v2(0x31, bytes(215)), "215 bytes do not hold"),
    "v2 cut tlv head": (v2(0x11, inet(*V4), b"\x01\x00"), "has no length"),
    "v2 cut tlv": (v2(0x11, inet(*V4), b"\x01\x00\x05abcd"), "longer than the header"),
    "v2 damaged": (with_sum(0x11, inet(*V4), MANY).replace(b"chat", b"chap"), "checksum is wrong"),
    "v2 sum too short": (v2(0x11, inet(*V4), tlv(3, b"abc")), "not four bytes"),
    "v2 authority": (v2(0x11, inet(*V4), tlv(2, b"\xff")), "not UTF-8"),
    "v2 alpn": (v2(0x11, inet(*V4), tlv(1, b"\xff")), "not UTF-8"),
    "v2 long id": (v2(0x11, inet(*V4), tlv(5, bytes(129))), "longer than 128 bytes"),
    "v2 tls": (v2(0x11, inet(*V4), tlv(0x20, b"\x01\0\0\0")), "shorter than its fixed part"),
    "v2 within tls": (v2(0x11, inet(*V4), tlv(0x20, b"\x01\0\0\0\0\x21")), "has no length"),
    "v2 common name": (
        v2(0x11, inet(*V4), tlv(0x20, b"\x01\0\0\0\0" + tlv(0x22, b"\xfe"))),
        "not UTF-8",
    ),
}


@pytest.mark.parametrize(("data", "words"), BAD.values(), ids=BAD)
def test_a_bad_header_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(HeaderError, match=words) as caught:
        read(data)
    assert not isinstance(caught.value, NoHeaderError)
    # Byte by byte it is refused as well, at the latest where it ends.
    for end in range(1, len(data)):
        try:
            assert read(data[:end]) is None
        except HeaderError:
            break


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720's check value
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4


ips = st.ip_addresses(v=4).map(str)
ports = st.integers(0, 65535)


@given(ips, ips, ports, ports, st.binary(max_size=40))
def test_version_1_comes_back_as_it_was_made(
    source: str, destination: str, one: int, two: int, rest: bytes
) -> None:
    line = f"PROXY TCP4 {source} {destination} {one} {two}\r\n".encode()
    assert read(line + rest) == (
        ProxyHeader(1, False, (source, one), (destination, two)),
        len(line),
    )


kinds = st.integers(0x06, 0x1F) | st.integers(0xE0, 0xEF)


@given(ips, ips, ports, ports, st.lists(st.tuples(kinds, st.binary(max_size=60)), max_size=6))
def test_version_2_comes_back_as_it_was_made(
    source: str, destination: str, one: int, two: int, tlvs: list[tuple[int, bytes]]
) -> None:
    addresses = inet(source, destination, (one, two))
    data = with_sum(0x11, addresses, b"".join(tlv(*each) for each in tlvs))
    found = read(data + b"rest")
    assert found is not None
    header, size = found
    assert size == len(data)
    assert (header.source, header.destination) == ((source, one), (destination, two))
    assert header.tlvs[:-1] == tuple(tlvs)


starts = st.sampled_from([b"", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x20"])


@given(starts, st.binary(max_size=300))
@example(SIGNATURE + b"\x21\x11\x00\x0f" + bytes(12), b"\x20\0\0")
def test_garbage_is_refused_waited_for_or_read_and_nothing_else(start: bytes, rest: bytes) -> None:
    try:
        found = read(start + rest)
    except HeaderError:
        return
    if found is not None:
        header, size = found
        assert 0 < size <= len(start + rest) <= proxy_header.MAX_SIZE
        assert header.client is None or len(header.client) == 2
