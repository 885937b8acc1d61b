"""Which part of a file answers a request: conditions and ranges, as RFC 9110 has them."""

from __future__ import annotations

import pytest

from lineman.protocols.http.file_ranges import FileFacts, type_of, what_to_send
from lineman.protocols.http.http_messages import Headers, Request

SECOND = 1_000_000_000
FILE = FileFacts(1000, 1_700_000_000 * SECOND + 5)
ETAG = FILE.etag
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
BEFORE, AFTER = "Tue, 14 Nov 2023 22:13:19 GMT", "Tue, 14 Nov 2023 22:13:21 GMT"


def ask(*lines: tuple[str, str], method: str = "GET") -> tuple[int, int, int]:
    wanted = what_to_send(Request(method, "/", "1.1", Headers(list(lines))), FILE)
    return wanted.status, wanted.start, wanted.count


WHOLE = (200, 0, 1000)
NONE = (416, 0, 0)


def test_the_time_is_written_as_http_has_it() -> None:
    assert FILE.last_modified == DATE


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", (206, 0, 1)),
        ("bytes=0-499", (206, 0, 500)),
        ("bytes=500-", (206, 500, 500)),
        ("bytes=999-", (206, 999, 1)),
        ("bytes=-1", (206, 999, 1)),
        ("bytes=-5000", (206, 0, 1000)),
        ("bytes=0-99999", (206, 0, 1000)),
        ("BYTES= 1-2 ", (206, 1, 2)),
        ("bytes=1000-", NONE),
        ("bytes=1000-2000", NONE),
        ("bytes=-0", NONE),
        # What cannot be read is ignored, and several ranges may be.
        ("bytes=", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=5-4", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("bytes=0-0,", WHOLE),
        ("lines=0-1", WHOLE),
        ("bytes=1-٢", WHOLE),
        ("bytes=" + "9" * 100 + "-", WHOLE),
        ("bytes=0-" + "9" * 19, (206, 0, 1000)),
    ],
)
def test_a_range(value: str, expected: tuple[int, int, int]) -> None:
    assert ask(("Range", value)) == expected


def test_what_a_range_announces() -> None:
    wanted = what_to_send(Request("GET", "/", "1.1", Headers([("Range", "bytes=10-19")])), FILE)
    assert ("Content-Range", "bytes 10-19/1000") in wanted.headers
    wanted = what_to_send(Request("GET", "/", "1.1", Headers([("Range", "bytes=1000-")])), FILE)
    assert ("Content-Range", "bytes */1000") in wanted.headers


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_other_methods_have_no_ranges(method: str) -> None:
    assert ask(("Range", "bytes=0-1"), method=method) == WHOLE


def test_two_range_headers_are_ignored() -> None:
    assert ask(("Range", "bytes=0-1"), ("Range", "bytes=2-3")) == WHOLE


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("If-None-Match", ETAG)], 304),
        ([("If-None-Match", f'"x", W/{ETAG}')], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", '"x"')], 200),
        ([("If-None-Match", '"x"'), ("If-Modified-Since", DATE)], 200),
        ([("If-Modified-Since", DATE)], 304),
        ([("If-Modified-Since", AFTER)], 304),
        ([("If-Modified-Since", BEFORE)], 200),
        ([("If-Modified-Since", "yesterday")], 200),
        ([("If-Modified-Since", "")], 200),
        ([("If-Modified-Since", "Tue, 14 Nov 99999999 22:13:20 GMT")], 200),
        ([("If-Match", ETAG)], 200),
        ([("If-Match", "*")], 200),
        ([("If-Match", '"x"')], 412),
        ([("If-Match", f"W/{ETAG}")], 412),
        ([("If-Unmodified-Since", BEFORE)], 412),
        ([("If-Unmodified-Since", DATE)], 200),
        ([("If-Match", ETAG), ("If-Unmodified-Since", BEFORE)], 200),
        ([("If-Match", '"x"'), ("If-None-Match", ETAG)], 412),
    ],
    ids=str,
)
def test_a_condition(lines: list[tuple[str, str]], expected: int) -> None:
    assert ask(*lines)[0] == expected
    assert ask(*lines, method="HEAD")[0] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ETAG, (206, 0, 2)), (DATE, (206, 0, 2)), ('"x"', WHOLE), (f"W/{ETAG}", WHOLE),
        (AFTER, WHOLE), ("rubbish", WHOLE),
    ],
)  # fmt: skip
def test_a_range_of_another_content_is_the_whole(
    value: str, expected: tuple[int, int, int]
) -> None:
    assert ask(("Range", "bytes=0-1"), ("If-Range", value)) == expected


def test_another_content_has_another_name() -> None:
    others = [FileFacts(1000, FILE.changed + 1), FileFacts(1001, FILE.changed)]
    assert ETAG not in [other.etag for other in others]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("/x/b.png", "image/png"),
        ("c.tar.gz", "application/gzip"),
        ("d", "application/octet-stream"),
        ("e.unheard", "application/octet-stream"),
    ],
)
def test_the_name_tells_the_type(path: str, kind: str) -> None:
    assert type_of(path) == kind
