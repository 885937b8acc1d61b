"""The header lines of an application's answer as bytes for the line; pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

from lineman.errors import UsageError

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(rb"[\x00\r\n]")
# Lineman frames an answer itself, and the standard says that a server ignores this one.
_IGNORED = frozenset({b"transfer-encoding", b"keep-alive"})
_CONNECTION = b"connection"
_LENGTH = b"content-length"
_DATE = b"date"

# Names that were found right, with what is special about them; clients cannot fill it, and an
# application that makes up names does not either.
_MOST_NAMES = 512
_PLAIN, _SKIPPED, _CLOSES, _COUNTS, _DATES = range(5)
_names: dict[bytes, int] = {}

_date_second = 0
_date_line = b""


def too_long(size: int, left: int) -> UsageError:
    """What `send` raises where a body is longer than its Content-Length says."""
    return UsageError(
        f"the application sent more of a body than its content-length says: {size} bytes where "
        f"{left} were left"
    )


def too_short(left: int) -> UsageError:
    """What `send` raises where a body ends before its Content-Length says."""
    return UsageError(f"the application ended a body {left} bytes before its content-length")


class AnswerLines:
    """The header lines of one answer.

    Args:
        headers: of the message, as pairs of bytes.

    Attributes:
        lines: what goes on the line, with `Date` where the application gives none.
        length: what `Content-Length` says; -1 without one.
        closes: whether the application asks for the end of the connection.

    Raises:
        UsageError: a header would break the answer.
    """

    __slots__ = ("closes", "length", "lines")

    def __init__(self, headers: Iterable[Any]) -> None:
        self.length = -1
        self.closes = False
        found = []
        has_date = False
        for pair in headers:
            name, value = _checked(pair)
            kind = _names.get(name, -1)
            if kind < 0:
                kind = _kind_of(name)
            if kind == _PLAIN:
                found.append(b"%b: %b\r\n" % (name, value))
            elif kind == _COUNTS:
                self.length = _length_of(value, self.length)
            elif kind == _CLOSES:
                self.closes = self.closes or b"close" in value.lower()
            elif kind == _DATES:
                has_date = True
                found.append(b"%b: %b\r\n" % (name, value))
        if not has_date:
            found.append(date_line())
        self.lines = b"".join(found)


def encode_trailers(headers: Iterable[Any]) -> bytes:
    """The lines behind a body in chunks; those about framing are left out (RFC 9110, 6.5.1).

    Raises:
        UsageError: see `AnswerLines`.
    """
    pairs = [_checked(pair) for pair in headers]
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs if _kind_of(pair[0]) == _PLAIN)


def date_line() -> bytes:
    """The line that tells the time (RFC 9110, section 6.6.1)."""
    global _date_second, _date_line
    now = int(time.time())
    if now != _date_second:
        _date_second = now
        _date_line = b"date: %b\r\n" % formatdate(now, usegmt=True).encode()
    return _date_line


def _checked(pair: Any) -> tuple[bytes, bytes]:
    try:
        name, value = pair
    except (TypeError, ValueError):
        raise _bad_pair(pair) from None
    if type(name) is not bytes or type(value) is not bytes:
        if not isinstance(name, (bytes, bytearray)) or not isinstance(value, (bytes, bytearray)):
            raise _bad_pair(pair)
        name, value = bytes(name), bytes(value)
    if _BAD_VALUE.search(value) is not None:
        raise UsageError(
            f"the value {value!r} of the header {name!r} has a line break or a NUL, which would "
            "begin a header of its own; take it out"
        )
    return name, value


def _bad_pair(pair: object) -> UsageError:
    return UsageError(
        f"the headers of the message hold {pair!r}; ASGI wants pairs of bytes: "
        '[b"content-type", b"text/plain"]'
    )


def _kind_of(name: bytes) -> int:
    kind = _names.get(name, -1)
    if kind >= 0:
        return kind
    if _TOKEN.fullmatch(name) is None:
        raise UsageError(f"{name!r} is not a header name; write letters, digits and dashes")
    lower = name.lower()
    kind = {_CONNECTION: _CLOSES, _LENGTH: _COUNTS, _DATE: _DATES}.get(lower, _PLAIN)
    if lower in _IGNORED:
        kind = _SKIPPED
    if len(_names) < _MOST_NAMES:
        _names[name] = kind
    return kind


def _length_of(value: bytes, before: int) -> int:
    # Python's `int` would take signs, blanks and underscores.
    if not value.isdigit() or before not in (-1, int(value)):
        raise UsageError(
            f"the header content-length is {value!r}; give one number of bytes, or leave it out: "
            "then the body is sent in chunks"
        )
    return int(value)
