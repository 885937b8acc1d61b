"""Header lines as they are sent, status lines, and refusals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

from lineman.errors import HttpError, UsageError

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def status_line(status: int) -> str:
    """The first line of an answer."""
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"


_STATUS_LINES = {code: status_line(code).encode() for code in _REASONS}


def encoded_status_line(status: int) -> bytes:
    """The same as bytes."""
    return _STATUS_LINES.get(status) or status_line(status).encode()


def encode_headers(pairs: Iterable[tuple[str, str]], reserved: frozenset[str]) -> str:
    """Header lines, each with its line end.

    Args:
        pairs: names and values.
        reserved: names in lower case that only lineman may write.

    Raises:
        UsageError: a name is no token, a value holds a control character or one outside of latin-1
            (it would start a header of its own), or the name is reserved.
    """
    lines = []
    for name, value in pairs:
        if not isinstance(name, str) or _TOKEN.fullmatch(name) is None:
            raise UsageError(f"{name!r} is not a header name; write letters, digits and dashes")
        if not isinstance(value, str) or _HEADER_VALUE.fullmatch(value) is None:
            raise UsageError(
                f"the value {value!r} of the header {name} is not one line of latin-1 text;"
                " take line breaks and other characters out, or percent-encode them"
            )
        if name.lower() in reserved:
            raise UsageError(f"lineman writes the header {name} itself; leave it out")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)


def error_response(error: HttpError) -> bytes:
    """The refusal as it goes on the line: one line of plain text, and `Connection: close`."""
    body = (_CONTROL.sub(" ", error.text) + "\n").encode("utf-8", "replace")
    connection = ["close"]
    others = []
    for name, value in error.headers:
        # 426 demands `Connection: Upgrade` (RFC 9110, section 7.8); one line says both.
        if name.lower() == "connection":
            connection.insert(0, value)
        else:
            others.append((name, value))
    head = encode_headers(
        [
            *others,
            ("Connection", ", ".join(connection)),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
        ],
        frozenset(),
    )
    return f"{status_line(error.status)}{head}\r\n".encode("latin-1") + body
