"""Which part of a file answers a request, and with which status. Pure.

Source: RFC 9110, sections 8.8 (validators), 13 (conditions) and 14 (ranges). A request for several
ranges gets the whole file, as section 14.2 allows: so nobody can ask for thousands of them.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from lineman.protocols.http.http_messages import Request

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*", re.IGNORECASE)
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file.

    Attributes:
        size: bytes.
        changed: when its content was last changed, in nanoseconds since 1970.
    """

    size: int
    changed: int

    @property
    def etag(self) -> str:
        """Names this content of this file."""
        return f'"{self.changed:x}-{self.size:x}"'

    @property
    def last_modified(self) -> str:
        """The time of the last change, as HTTP writes it."""
        return formatdate(self.changed // 1_000_000_000, usegmt=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is sent of a file.

    Attributes:
        status: 200, 206, 304, 412 or 416.
        start: the first byte.
        count: how many.
        headers: that the status demands.
    """

    status: int
    start: int
    count: int
    headers: list[tuple[str, str]]

    @property
    def has_content(self) -> bool:
        """Whether bytes of the file are meant, so that its type is told."""
        return self.status in (200, 206)


def what_to_send(request: Request, file: FileFacts) -> Wanted:
    """Looks at the conditions and the range of a request.

    Args:
        request: it; other methods than GET and HEAD get the whole file.
        file: what is known of the file.
    """
    headers = [("ETag", file.etag), ("Last-Modified", file.last_modified)]
    if request.method not in ("GET", "HEAD"):
        return Wanted(200, 0, file.size, headers)
    status = _condition(request, file)
    if status == 304:
        return Wanted(304, 0, 0, headers)
    if status == 412:
        return Wanted(412, 0, 0, [])
    headers.append(("Accept-Ranges", "bytes"))
    found = _range(request, file)
    if found is None:
        return Wanted(200, 0, file.size, headers)
    start, end = found
    if start >= end:
        headers.append(("Content-Range", f"bytes */{file.size}"))
        return Wanted(416, 0, 0, headers)
    headers.append(("Content-Range", f"bytes {start}-{end - 1}/{file.size}"))
    return Wanted(206, start, end - start, headers)


def _condition(request: Request, file: FileFacts) -> int:
    """The status by which a condition ends the request; 0 where none does (section 13.2.2)."""
    headers = request.headers
    match = headers.get("if-match")
    if match is not None:
        if match.strip() != "*" and file.etag not in _tags(match):
            return 412
    else:
        since = _date(headers.get("if-unmodified-since"))
        if since is not None and file.changed // 1_000_000_000 > since:
            return 412
    none_match = headers.get("if-none-match")
    if none_match is not None:
        tags = [tag.removeprefix("W/") for tag in _tags(none_match)]
        return 304 if none_match.strip() == "*" or file.etag in tags else 0
    since = _date(headers.get("if-modified-since"))
    return 304 if since is not None and file.changed // 1_000_000_000 <= since else 0


def _tags(value: str) -> list[str]:
    return [tag.strip(" \t") for tag in value.split(",")]


def _date(value: str | None) -> float | None:
    """Seconds since 1970; None where it is no date, which is then ignored."""
    if value is None or not value.isascii():
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _range(request: Request, file: FileFacts) -> tuple[int, int] | None:
    """First byte and the one behind the last; equal where there are none; None for the whole."""
    if request.method != "GET":
        return None
    values = request.headers.get_all("range")
    if len(values) != 1 or (found := _RANGE.fullmatch(values[0])) is None:
        return None
    if_range = request.headers.get("if-range")
    if if_range is not None and if_range.strip() not in (file.etag, file.last_modified):
        return None
    first, last = found[1], found[2]
    if not first:
        if not last:
            return None
        return max(file.size - int(last), 0), file.size
    if last and int(last) < int(first):
        return None
    start = int(first)
    end = min(int(last) + 1, file.size) if last else file.size
    return (start, end) if start < file.size else (0, 0)


def type_of(path: str) -> str:
    """The content type that the name of a file says; text is told as UTF-8."""
    kind, coding = mimetypes.guess_type(path)
    if coding is not None:
        return _PACKED.get(coding, "application/octet-stream")
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
