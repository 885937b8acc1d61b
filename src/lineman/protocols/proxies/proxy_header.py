"""The PROXY protocol, versions 1 and 2: the header that a TCP proxy sends before the client's first
byte.

Pure: bytes in, a header out. The caller decides which peers are believed, and when a header must be
there. Source: HAProxy, doc/proxy-protocol.txt (2020/03/05).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lineman.protocols.proxies.forwarded import UNIX, UNKNOWN

V1_START = b"PROXY "
V1_MAX = 107
"""Bytes of the longest line of version 1, its end included (section 2.1)."""

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V2_FIXED = 16
MAX_PAYLOAD = 4096
"""Bytes behind the fixed part of version 2 that are read. 536 must be (section 2.2); a client
certificate's subject and a tracing id are some hundred more."""
MAX_SIZE = V2_FIXED + MAX_PAYLOAD

_LOCAL, _PROXY = 0x20, 0x21
# Family and transport: bytes of one address, and what the pair of them is called.
_UNSPEC, _TCP4, _TCP6, _UNIX_STREAM = 0x00, 0x11, 0x21, 0x31
_ADDRESSES = {_TCP4: 12, _TCP6: 36, _UNIX_STREAM: 216}

ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL, NETNS = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30
_SSL_VERSION, _SSL_CN, _SSL_CIPHER = 0x21, 0x22, 0x23
_CLIENT_SSL, _CLIENT_CERT_CONN, _CLIENT_CERT_SESS = 0x01, 0x02, 0x04
MAX_UNIQUE_ID = 128  # section 2.2.5


class HeaderError(Exception):
    """The bytes are no good PROXY header; the message says what is wrong with them."""


class NoHeaderError(HeaderError):
    """The connection does not begin with a PROXY header at all."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How the client speaks TLS with the proxy (section 2.2.6).

    Attributes:
        version: such as `TLSv1.3`; None where the proxy does not tell.
        cipher: its name, or None.
        common_name: of the client's certificate, or None.
        is_verified: whether the client showed a certificate and the proxy accepts it.
    """

    version: str | None = None
    cipher: str | None = None
    common_name: str | None = None
    is_verified: bool = False


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a proxy says about a connection.

    Attributes:
        version: of the PROXY protocol, 1 or 2.
        is_local: whether the connection is the proxy's own, such as a health check.
        source: the client's address and port; `unix` and 0 for a client of a unix socket; None
            where the proxy does not tell.
        destination: where the client connected to, in the same form.
        tlvs: further values by their type, in the order in which they came.
    """

    version: int
    is_local: bool = False
    source: tuple[str, int] | None = None
    destination: tuple[str, int] | None = None
    tlvs: tuple[tuple[int, bytes], ...] = ()

    @property
    def client(self) -> tuple[str, int] | None:
        """The client's address and port, which may be `unix` or `unknown`; None: the proxy itself.

        Unknown is not the proxy's own address, which may have more rights than a client.
        """
        return None if self.is_local else self.source or (UNKNOWN, 0)

    def value(self, kind: int) -> bytes | None:
        """The first value of a type, or None."""
        return next((value for one, value in self.tlvs if one == kind), None)

    @property
    def alpn(self) -> str | None:
        """What the client and the proxy agreed on, such as `http/1.1`."""
        return _text(self.value(ALPN), "ALPN")

    @property
    def authority(self) -> str | None:
        """The host name that the client asked for (SNI)."""
        return _text(self.value(AUTHORITY), "authority")

    @property
    def unique_id(self) -> bytes | None:
        """What the proxy's log calls this connection."""
        return self.value(UNIQUE_ID)

    @property
    def tls(self) -> ClientTls | None:
        """How the client speaks TLS with the proxy; None without TLS, or where it does not tell."""
        value = self.value(SSL)
        return None if value is None else _client_tls(value)


def read(data: bytes) -> tuple[ProxyHeader, int] | None:
    """Read a header from the beginning of a connection.

    Args:
        data: all that has come so far.

    Returns:
        The header and how many bytes it is long; None where more must come first.

    Raises:
        NoHeaderError: another protocol begins here.
        HeaderError: it begins like a header and is none.
    """
    if SIGNATURE.startswith(data[: len(SIGNATURE)]):
        return _read_v2(data) if len(data) >= V2_FIXED else None
    if V1_START.startswith(data[: len(V1_START)]):
        return _read_v1(data)
    raise NoHeaderError(f"the connection begins with {data[:16]!r} and not with a PROXY header")


def _read_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    end = data.find(b"\r\n", 0, V1_MAX)
    if end < 0:
        if len(data) >= V1_MAX:
            raise HeaderError(f"the line of version 1 does not end within {V1_MAX} bytes")
        return None
    line = data[:end]
    protocol, _, rest = line[len(V1_START) :].partition(b" ")
    if protocol == b"UNKNOWN":
        return ProxyHeader(1), end + 2  # what stands behind it is to be ignored
    words = rest.split(b" ")
    if protocol not in (b"TCP4", b"TCP6") or len(words) != 4:
        raise HeaderError(f"the line {line!r} is not of version 1")
    is_v6 = protocol == b"TCP6"
    source, destination = (_v1_address(word, is_v6) for word in words[:2])
    source_port, destination_port = (_v1_port(word) for word in words[2:])
    return ProxyHeader(1, False, (source, source_port), (destination, destination_port)), end + 2


def _v1_address(word: bytes, is_v6: bool) -> str:
    kind = ipaddress.IPv6Address if is_v6 else ipaddress.IPv4Address
    try:
        if b"%" in word:  # a zone says nothing to another machine
            raise ValueError
        return _plain(kind(word.decode("ascii")))
    except ValueError:
        raise HeaderError(f"{word!r} is not an IPv{6 if is_v6 else 4} address") from None


def _v1_port(word: bytes) -> int:
    if not word.isdigit() or (word[:1] == b"0" and word != b"0") or int(word[:6]) > 65535:
        raise HeaderError(f"{word!r} is not a port")
    return int(word)


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An address as text; IPv4 in IPv6 clothes is IPv4."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _read_v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    command, family, length = struct.unpack_from("!BBH", data, 12)
    if command >> 4 != 2:
        raise HeaderError(f"version {command >> 4} follows the signature of version 2")
    if command not in (_LOCAL, _PROXY):
        raise HeaderError(f"command {command & 15} is unknown")
    if length > MAX_PAYLOAD:
        raise HeaderError(f"a header of {length} bytes; {MAX_PAYLOAD} may be")
    size = V2_FIXED + length
    if len(data) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(2, is_local=True), size  # whatever it says is to be ignored
    if family == _UNSPEC:
        return ProxyHeader(2), size
    addresses = _ADDRESSES.get(family)
    if addresses is None:
        raise HeaderError(f"address family and transport {family:#04x} are none of a stream")
    if length < addresses:
        raise HeaderError(f"{length} bytes do not hold the addresses of family {family:#04x}")
    source, destination = _v2_addresses(family, data[V2_FIXED : V2_FIXED + addresses])
    tlvs = tuple(_tlvs(data[V2_FIXED + addresses : size]))
    _check_sum(data[:size], V2_FIXED + addresses, tlvs)
    header = ProxyHeader(2, False, source, destination, tlvs)
    # Read once here, so that a later reader gets no error.
    _ = header.alpn, header.authority, header.tls
    if len(header.unique_id or b"") > MAX_UNIQUE_ID:
        raise HeaderError(f"the unique id is longer than {MAX_UNIQUE_ID} bytes")
    return header, size


def _v2_addresses(family: int, block: bytes) -> tuple[tuple[str, int], tuple[str, int]]:
    if family == _UNIX_STREAM:  # the paths are files of another machine, or of nobody
        return (UNIX, 0), (UNIX, 0)
    size = 4 if family == _TCP4 else 16
    kind = ipaddress.IPv4Address if family == _TCP4 else ipaddress.IPv6Address
    ports = struct.unpack_from("!HH", block, 2 * size)
    addresses = [_plain(kind(block[start : start + size])) for start in (0, size)]
    return (addresses[0], ports[0]), (addresses[1], ports[1])


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each (section 2.2, `pp2_tlv`)."""
    position = 0
    while position < len(data):
        if position + 3 > len(data):
            raise HeaderError("the last value has no length")
        kind, length = struct.unpack_from("!BH", data, position)
        position += 3
        if position + length > len(data):
            raise HeaderError(f"the value of type {kind:#04x} is longer than the header")
        yield kind, data[position : position + length]
        position += length


def _check_sum(data: bytes, position: int, tlvs: tuple[tuple[int, bytes], ...]) -> None:
    """Compares the header with its checksum, where it has one (section 2.2.3)."""
    for kind, value in tlvs:
        position += 3
        if kind == CRC32C:
            if len(value) != 4:
                raise HeaderError("the checksum is not four bytes long")
            zeroed = data[:position] + bytes(4) + data[position + 4 :]
            if crc32c(zeroed) != int.from_bytes(value):
                raise HeaderError("the checksum is wrong: the header was damaged on its way")
        position += len(value)


def _crc_table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """The checksum of RFC 3720, appendix B.4 (Castagnoli's polynomial)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _text(value: bytes | None, what: str) -> str | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        raise HeaderError(f"the {what} {value!r} is not UTF-8") from None


def _client_tls(value: bytes) -> ClientTls | None:
    if len(value) < 5:
        raise HeaderError("the value about TLS is shorter than its fixed part")
    flags, verify = struct.unpack_from("!BI", value)
    parts = dict(_tlvs(value[5:]))
    found = ClientTls(
        version=_text(parts.get(_SSL_VERSION), "TLS version"),
        cipher=_text(parts.get(_SSL_CIPHER), "cipher"),
        common_name=_text(parts.get(_SSL_CN), "common name"),
        is_verified=bool(flags & (_CLIENT_CERT_CONN | _CLIENT_CERT_SESS)) and verify == 0,
    )
    return found if flags & _CLIENT_SSL else None
