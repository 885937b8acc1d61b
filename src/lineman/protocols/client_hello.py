"""The first message of a TLS client, read before OpenSSL sees it: which name, which protocols.

Python's `sni_callback` does not tell what ALPN the client offers, and an authority that validates
with tls-alpn-01 is known by that alone. Nothing here decides whether the message is good: what
cannot be read is left to OpenSSL, which says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_SIZE = 18 * 1024
"""Bytes after which a client that has not finished its first message is not looked at further."""

LARGEST = 16 * 1024
"""Bytes of a client's first message, which BoringSSL bounds in the same way: OpenSSL takes 128 KiB,
and compares each key share in it with each group."""

BEGINNING = 4 * 6
"""Bytes within which its length stands, however it is cut into records."""

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_RECORD_HEADER = 5
_LARGEST_RECORD = 16 * 1024  # RFC 8446, section 5.1: of plain text
_SERVER_NAME = 0
_HOST_NAME = 0
_ALPN = 16


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client says of itself in the clear.

    Attributes:
        server_name: the host that it wants, lower case; empty where it names none.
        protocols: what it offers by ALPN, in its order.
    """

    server_name: str
    protocols: tuple[bytes, ...]


class _Reader:
    """Takes numbers and counted pieces from bytes; ValueError where they are too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise ValueError("a length points past the end of the ClientHello")
        self._at += count
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """A piece whose length stands before it, in `size` bytes."""
        return self.take(self.number(size))

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)


def parse(data: bytes) -> ClientHello | None:
    """What the client's first message says, or None where more of it has to come.

    Args:
        data: all that the client has sent so far, from its first byte.

    Raises:
        ValueError: this is no ClientHello; further bytes would change nothing.

    Source: RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3; RFC 7301, section 3.1
    """
    message = _message(data)
    if message is None:
        return None
    reader = _Reader(message)
    reader.take(2 + 32)  # version, random
    reader.vector(1)  # session id
    reader.vector(2)  # cipher suites
    reader.vector(1)  # compression methods
    if reader.is_empty:
        return ClientHello("", ())  # TLS 1.2 allows a message without extensions
    return _extensions(reader.vector(2))


def announced(data: bytes) -> int | None:
    """How long the client's first message is going to be, or None where more of it has to come.

    Args:
        data: the first bytes that the client has sent.

    Returns:
        Bytes, with its header; 0 where OpenSSL will find at once that it is none.

    Raises:
        ValueError: it is cut as no client cuts it, and its length lies further behind.

    Source: RFC 8446, section 5.1
    """
    head = b""
    at = 0
    while len(head) < 4:
        record = data[at : at + _RECORD_HEADER]
        if at and record[:1] not in (b"", b"\x16"):
            raise ValueError("another record stands within the ClientHello")
        if len(record) < _RECORD_HEADER:
            return None
        length = int.from_bytes(record[3:5], "big")
        if not length:
            raise ValueError("a record of the ClientHello is empty")
        if record[1] != 3 or length > _LARGEST_RECORD:
            return 0
        at += _RECORD_HEADER
        head += data[at : at + length]
        if head[:1] not in (b"", b"\x01"):
            return 0
        at += length
        if at > len(data) and len(head) < 4:
            return None
    return 4 + int.from_bytes(head[1:4], "big")


def _message(data: bytes) -> bytes | None:
    """The handshake message without its header; it may lie in several records."""
    body = bytearray()
    at = 0
    while True:
        if len(body) >= 4:
            if body[0] != _CLIENT_HELLO:
                raise ValueError("the first message is no ClientHello")
            size = int.from_bytes(body[1:4], "big")
            if size > MAX_SIZE:
                raise ValueError("the ClientHello is too long")
            if len(body) >= 4 + size:
                return bytes(body[4 : 4 + size])
        if at < len(data) and data[at] != _HANDSHAKE:
            raise ValueError("this is no handshake record of TLS")
        if at + _RECORD_HEADER > len(data):
            return None
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if not 0 < length <= _LARGEST_RECORD:
            raise ValueError("a record has a length that TLS does not allow")
        at += _RECORD_HEADER
        body += data[at : at + length]
        at += length
        if at > len(data) and not _is_whole(body):
            return None


def _is_whole(body: bytearray) -> bool:
    return len(body) >= 4 and len(body) >= 4 + int.from_bytes(body[1:4], "big")


def _extensions(data: bytes) -> ClientHello:
    server_name = ""
    protocols: tuple[bytes, ...] = ()
    reader = _Reader(data)
    while not reader.is_empty:
        kind = reader.number(2)
        content = reader.vector(2)
        if kind == _SERVER_NAME:
            server_name = _host_name(content)
        elif kind == _ALPN:
            protocols = _protocols(content)
    return ClientHello(server_name, protocols)


def _host_name(content: bytes) -> str:
    names = _Reader(_Reader(content).vector(2))
    while not names.is_empty:
        kind = names.number(1)
        name = names.vector(2)
        if kind == _HOST_NAME:
            return name.decode("ascii").lower()  # UnicodeDecodeError is a ValueError
    return ""


def _protocols(content: bytes) -> tuple[bytes, ...]:
    names = _Reader(_Reader(content).vector(2))
    found = []
    while not names.is_empty:
        found.append(names.vector(1))
    return tuple(found)
