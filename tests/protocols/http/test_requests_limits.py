"""How much a request may be: heads, header lines, bodies, and the framing of chunks."""

import gc
import tracemalloc

import pytest

from lineman.protocols.http.requests import MAX_HEADER_LINES, RequestParser
from protocols.http.feeding import MAX_BODY, MAX_HEAD, Feed, new, refused, three_ways


def head_of(size: int) -> bytes:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


@three_ways
def test_a_head_of_exactly_the_limit_is_read_each_time(feed: Feed) -> None:
    requests, parser = feed(head_of(MAX_HEAD) + head_of(MAX_HEAD))
    assert len(requests) == 2
    assert parser.error is None


@three_ways
def test_a_head_of_one_byte_more_is_431(feed: Feed) -> None:
    refused(head_of(MAX_HEAD + 1), feed, 431, "1024 bytes")
    requests, parser = feed(head_of(MAX_HEAD) + head_of(MAX_HEAD + 1))
    assert len(requests) == 1
    assert parser.error is not None
    assert parser.error.status == 431


@pytest.mark.parametrize(
    "endless",
    [
        b"GET /" + b"a" * 5000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 5000,
        b"GET / HTTP/1.1\r\nX:" + b" " * 5000,
        b"GET / HTTP/1.1\r\n" + b"a" * 5000,
        b"GET / HTTP/1.1\r\n" + b"Abcdefghijklmnopq: bcdefghijk\r\n" * 500,
        b"\r\n" * 5000,
        b"GET " + b" " * 5000,
    ],
)
@three_ways
def test_a_head_that_never_ends_is_431_wherever_it_hangs(feed: Feed, endless: bytes) -> None:
    refused(endless, feed, 431)


@three_ways
def test_too_many_header_lines_are_431(feed: Feed) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n"
    requests, _ = feed(head + b"a:b\r\n" * (MAX_HEADER_LINES - 1) + b"\r\n")
    assert len(requests) == 1
    refused(head + b"a:b\r\n" * MAX_HEADER_LINES + b"\r\n", feed, 431, "128 header lines")


@three_ways
def test_a_chunked_body_may_be_as_large_as_the_limit_and_no_larger(feed: Feed) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    fits = b"400\r\n" + b"a" * 1024 + b"\r\n"
    [request], _ = feed(head + fits + fits + b"0\r\n\r\n")
    assert len(request.body) == MAX_BODY
    refused(head + fits + fits + b"1\r\na\r\n0\r\n\r\n", feed, 413, "2048 bytes")


def test_a_declared_body_that_is_too_large_is_refused_before_it_arrives() -> None:
    parser = new()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2049\r\n\r\n"
    assert parser.feed(head[:-1]) == []
    assert parser.error is None
    assert parser.feed(head[-1:]) == []
    assert parser.error is not None
    assert parser.error.status == 413


@pytest.mark.parametrize("endless", [b"1;" + b"e" * 9000, b"0\r\n" + b"T: t\r\n" * 2000])
@three_ways
def test_chunk_framing_does_not_go_on_for_ever(feed: Feed, endless: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    refused(head + endless, feed, 413, "framing")


@three_ways
def test_a_body_in_chunks_of_one_byte_is_read(feed: Feed) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    [request], parser = feed(head + b"1\r\na\r\n" * MAX_BODY + b"0\r\n\r\n")
    assert request.body == b"a" * MAX_BODY
    assert parser.error is None


def test_a_half_arrived_request_keeps_memory_bounded() -> None:
    endless = [b"GET / HTTP/1.1\r\nHost: a\r\n", *[b"a:b\r\n" * 10] * 5000]
    parser = RequestParser(16 * 1024, MAX_BODY)
    parser.feed(endless[0])
    gc.collect()
    tracemalloc.start()
    try:
        for part in endless[1:]:
            parser.feed(part)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parser.error is not None
    assert kept < 100_000
