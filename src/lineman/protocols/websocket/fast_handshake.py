"""The usual opening handshake, read in one pass over its bytes.

Nearly every client sends its handshake as one plain head in one piece. `read_opening` knows these
and takes from them what the answer needs; whatever is unusual, incomplete or wrong in any way it
leaves to `http.RequestParser` and `handshake.check`, which know the whole of HTTP and say what is
wrong. It accepts nothing that these two would not accept: a property test holds it to that.

Source: RFC 6455, section 4.2.1; RFC 9112.
"""

from __future__ import annotations

from lineman.base import buffers
from lineman.protocols.http.requests import MAX_HEADER_LINES
from lineman.protocols.websocket import byteclasses
from lineman.protocols.websocket.byteclasses import (
    IS_BASE64,
    IS_DIGIT,
    IS_HOST,
    IS_TARGET,
    IS_TOKEN,
    IS_VALUE,
    KINDS,
)

HOST = 1
UPGRADE = 2
CONNECTION = 4
KEY = 8
VERSION = 16
REQUIRED = HOST | UPGRADE | CONNECTION | KEY | VERSION
ORIGIN = 32
SUBPROTOCOLS = 64
EXTENSIONS = 128
# No handshake, or one that deserves a closer look.
UNUSUAL = 256

SPACE = 0x20
TAB = 0x09
CR = 0x0D
LF = 0x0A
COLON = 0x3A

# Header names that matter, by their length, and what they say; `_header` knows the two that share
# a length with another one.
_HEADERS = {
    b"host": HOST,
    b"origin": ORIGIN,
    b"upgrade": UPGRADE,
    b"connection": CONNECTION,
    b"content-length": UNUSUAL,
    b"proxy-connection": UNUSUAL,
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": VERSION,
    b"sec-websocket-protocol": SUBPROTOCOLS,
    b"sec-websocket-extensions": EXTENSIONS,
}
_NAMES = tuple(
    next((name for name in _HEADERS if len(name) == length), b"") for length in range(25)
)
_WHAT = tuple(_HEADERS.get(name, 0) for name in _NAMES)

MAX_LINES = MAX_HEADER_LINES
_START = b"GET /"
_END_OF_LINE = b" HTTP/1.1\r\n"


class Opening:
    """A handshake as it should be.

    Attributes:
        head: the request line and the headers, to the empty line.
        key: the `Sec-WebSocket-Key`.
        is_bare: it neither says which page it comes from nor offers anything.
    """

    __slots__ = ("head", "is_bare", "key")

    def __init__(self, head: bytes, key: str, is_bare: bool) -> None:
        self.head = head
        self.key = key
        self.is_bare = is_bare


def read_opening(data: bytes | memoryview, max_size: int) -> Opening | None:
    """The handshake that the data begins with.

    Args:
        data: all that has arrived; what follows the head is not looked at.
        max_size: bytes that a head may have.

    Returns:
        None where it is anything but a usual handshake, complete and well-formed.
    """
    size = min(len(data), max_size)
    if not _has(data, 0, size, _START):
        return None
    stop = _run(data, 4, size, IS_TARGET)
    if not _has(data, stop, size, _END_OF_LINE):
        return None
    position = stop + 11
    key = seen = lines = 0
    while position < size and data[position] != CR:
        stop = _run(data, position, size, IS_TOKEN)
        if stop in (position, size) or data[stop] != COLON:
            return None
        start = stop + 1
        while start < size and (data[start] == SPACE or data[start] == TAB):
            start += 1
        end = _run(data, start, size, IS_VALUE)
        if size - end < 2 or data[end] != CR or data[end + 1] != LF:
            return None
        what = _header(data, position, stop - position, start, _trimmed(data, start, end))
        lines += 1
        if what & (seen | UNUSUAL) or lines > MAX_LINES:  # one of them twice
            return None
        if what == KEY:
            key = start
        seen |= what
        position = end + 2
    if seen & REQUIRED != REQUIRED or size - position < 2 or data[position + 1] != LF:
        return None
    size = position + 2
    head = buffers.taken(data, size)
    return Opening(head, head[key : key + 24].decode("ascii"), seen == REQUIRED)


def _run(data: bytes | memoryview, start: int, size: int, kind: int) -> int:
    """The position after the bytes of a class that stand here."""
    return byteclasses.end_of_run(data, start, size, kind, KINDS)


def _trimmed(data: bytes | memoryview, start: int, end: int) -> int:
    """The end of a value without the blanks behind it."""
    while end > start and (data[end - 1] == SPACE or data[end - 1] == TAB):
        end -= 1
    return end


def _has(data: bytes | memoryview, start: int, size: int, text: bytes) -> bool:
    """Whether the text stands here."""
    length = len(text)
    if size - start < length:
        return False
    for index in range(length):  # noqa: SIM110 - a loop in C
        if data[start + index] != text[index]:
            return False
    return True


def _is(data: bytes | memoryview, start: int, length: int, word: bytes) -> bool:
    """Whether these are the word, in any case; the word is of small letters, digits and `-, `."""
    if length != len(word):
        return False
    for index in range(length):  # noqa: SIM110 - a loop in C
        if data[start + index] | 0x20 != word[index]:
            return False
    return True


def _header(data: bytes | memoryview, name: int, length: int, value: int, end: int) -> int:
    """What a header line says, as one of the numbers above; 0 for what does not matter here.

    Args:
        name: where the name begins.
        length: of the name.
        value: where the value begins.
        end: where it ends.
    """
    size = end - value
    what = _WHAT[length] if length < len(_WHAT) else 0
    if what == 0:
        return 0
    if length == 17 and _is(data, name, 17, b"transfer-encoding"):
        return UNUSUAL
    if length == 6 and _is(data, name, 6, b"expect"):
        return UNUSUAL
    if length == 16 and _is(data, name, 16, b"x-lineman-doctor"):  # see `checkup`
        return UNUSUAL
    if not _is(data, name, length, _NAMES[length]):
        return 0
    if what == HOST:
        is_usual = _is_host(data, value, end)
    elif what == UPGRADE:
        is_usual = _is(data, value, size, b"websocket")
    elif what == CONNECTION:
        is_usual = _is(data, value, size, b"upgrade") or _is(
            data, value, size, b"keep-alive, upgrade"
        )
    elif what == KEY:
        is_usual = (
            size == 24
            and _run(data, value, value + 22, IS_BASE64) == value + 22
            and _has(data, value + 22, end, b"==")
        )
    elif what == VERSION:
        is_usual = _is(data, value, size, b"13")
    else:
        is_usual = what != UNUSUAL
    return what if is_usual else UNUSUAL


def _is_host(data: bytes | memoryview, value: int, end: int) -> bool:
    """Whether this is a name or an IPv4 address, with a port or without one."""
    stop = _run(data, value, end, IS_HOST)
    if stop in (value, end):
        return stop != value
    return data[stop] == COLON and _run(data, stop + 1, end, IS_DIGIT) == end
