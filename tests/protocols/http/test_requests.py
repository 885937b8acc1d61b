import gc
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import pytest
from httptools import HttpParserCallbackError
from hypothesis import given
from hypothesis import strategies as st

from lineman.protocols.http.requests import MAX_HEADER_LINES, Request, RequestParser

MAX_HEAD = 1024
MAX_BODY = 2048

UPGRADE = (
    b"GET /chat?room=7 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

Fed = tuple[list[Request], RequestParser]


def new(max_head: int = MAX_HEAD, max_body: int = MAX_BODY) -> RequestParser:
    return RequestParser(max_head, max_body)


def whole(data: bytes, parser: RequestParser | None = None) -> Fed:
    parser = parser or new()
    return parser.feed(data), parser


def by_byte(data: bytes, parser: RequestParser | None = None) -> Fed:
    parser = parser or new()
    requests: list[Request] = []
    for position in range(len(data)):
        requests += parser.feed(data[position : position + 1])
    return requests, parser


def from_memory(data: bytes, parser: RequestParser | None = None) -> Fed:
    parser = parser or new()
    buffer = bytearray(data)
    requests = parser.feed(memoryview(buffer))
    buffer[:] = bytes(len(buffer))  # the next read overwrites a shared buffer
    return requests, parser


three_ways = pytest.mark.parametrize("feed", [whole, by_byte, from_memory])
Feed = Callable[..., Fed]


def seen(requests: list[Request]) -> list[tuple[object, ...]]:
    return [
        (one.method, one.target, one.version, one.headers.items(), one.body, one.upgrade,
         one.keep_alive)
        for one in requests
    ]  # fmt: skip


def refused(data: bytes, feed: Feed, status: int, *words: str) -> None:
    requests, parser = feed(data)
    assert requests == []
    assert parser.error is not None
    assert parser.error.status == status
    for word in words:
        assert word in parser.error.text
    assert "\n" not in parser.error.text
    assert parser.feed(GET) == []  # nothing is parsed after a fault


@three_ways
def test_a_handshake_is_read(feed: Feed) -> None:
    [request], parser = feed(UPGRADE)
    assert (request.method, request.path, request.query) == ("GET", "/chat", {"room": "7"})
    assert request.version == "1.1"
    assert request.headers.items() == [
        ("Host", "a.example"),
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    assert request.upgrade
    assert not request.keep_alive
    assert (parser.error, parser.rest) == (None, b"")


@pytest.mark.parametrize("tail", [b"\x81", b"\x81\x85abcdhello", GET, b"\r\n\r\n"])
def test_what_follows_a_handshake_is_the_rest_and_no_http(tail: bytes) -> None:
    [request], parser = whole(UPGRADE + tail)
    assert request.upgrade
    assert parser.rest == tail
    assert parser.error is None
    assert parser.feed(GET) == []
    assert parser.rest == tail


@pytest.mark.parametrize("cut", [1, 30, 60, len(UPGRADE) - 3, len(UPGRADE) - 1])
def test_the_rest_is_counted_from_the_last_feed(cut: int) -> None:
    parser = new()
    assert parser.feed(UPGRADE[:cut]) == []
    [request] = parser.feed(UPGRADE[cut:] + b"tail")
    assert request.upgrade
    assert parser.rest == b"tail"


def test_a_handshake_behind_plain_requests_keeps_its_rest() -> None:
    requests, parser = whole(GET + GET + UPGRADE + b"tail")
    assert [one.upgrade for one in requests] == [False, False, True]
    assert parser.rest == b"tail"


@three_ways
def test_pipelined_requests_come_in_order(feed: Feed) -> None:
    post = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
    chunked = (
        b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n4\r\n\r\n\r\n\r\n0\r\nX-Trailer: t\r\nX-More: t\r\n\r\n"
    )
    requests, parser = feed(GET + post + chunked + chunked + post + GET)
    assert parser.error is None
    assert [(one.method, one.path, one.body) for one in requests] == [
        ("GET", "/a", b""),
        ("POST", "/b", b"\r\n\r\n"),
        ("PUT", "/c", b"abc\r\n\r\n"),
        ("PUT", "/c", b"abc\r\n\r\n"),
        ("POST", "/b", b"\r\n\r\n"),
        ("GET", "/a", b""),
    ]
    assert requests[2].headers.items() == [("Host", "a"), ("Transfer-Encoding", "Chunked")]
    assert all(one.keep_alive for one in requests)


@three_ways
def test_what_came_before_a_fault_is_still_returned(feed: Feed) -> None:
    requests, parser = feed(GET + GET + b"nonsense\r\n\r\n")
    assert len(requests) == 2
    assert parser.error is not None
    assert parser.error.status == 400


@three_ways
def test_empty_lines_before_a_request_are_skipped(feed: Feed) -> None:
    requests, parser = feed(b"\r\n\r\n\r\n" + GET + b"\r\n" + GET)
    assert len(requests) == 2
    assert parser.error is None


@three_ways
def test_values_lose_the_blanks_around_them_and_may_be_empty_or_latin_1(feed: Feed) -> None:
    data = b"GET / HTTP/1.1\r\nA:\r\nB: \t \r\nHost:  a \t\r\nC:\xa0\xe4\xa0 \r\n\r\n"
    [request], _ = feed(data)
    assert request.headers.items() == [("A", ""), ("B", ""), ("Host", "a"), ("C", "\xa0ä\xa0")]


@three_ways
def test_a_request_that_closes_is_the_last(feed: Feed) -> None:
    close = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    requests, parser = feed(close + GET)
    assert [one.keep_alive for one in requests] == [False]
    assert parser.error is None
    assert parser.rest == b""


@three_ways
def test_http_1_0_closes_unless_it_says_otherwise_and_needs_no_host(feed: Feed) -> None:
    requests, parser = feed(
        b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n" + GET
    )
    assert [(one.path, one.version, one.keep_alive) for one in requests] == [
        ("/a", "1.0", True),
        ("/b", "1.0", False),
    ]
    assert parser.error is None


@pytest.mark.parametrize(
    "framing",
    [
        (b"Content-Length: 5\r\n\r\n", b"ab\r\nc"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nab\r\nc\r\n0\r\n\r\n"),
        (b"\r\n", b""),
        (b"Content-Length: 0\r\n\r\n", b""),
    ],
)
@three_ways
def test_another_upgrade_is_ignored_and_its_body_is_no_request(
    feed: Feed, framing: tuple[bytes, bytes]
) -> None:
    head = b"POST /b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    one = head + b"".join(framing)
    requests, parser = feed(one + GET + one + UPGRADE)
    assert parser.error is None
    body = b"ab\r\nc" if framing[1] else b""
    assert [(one.path, one.body, one.upgrade) for one in requests] == [
        ("/b", body, False),
        ("/a", b"", False),
        ("/b", body, False),
        ("/chat", b"", True),
    ]
    assert requests[0].keep_alive


def test_an_upgrade_over_http_1_0_is_seen_as_one_so_that_it_can_be_refused() -> None:
    [request], parser = whole(UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert request.upgrade
    assert parser.error is None


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "Invalid method"),
        (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Invalid method"),
        (b"GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400, "not an HTTP/1.1 request: "),
        (b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n", 400, "url"),
        (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "url"),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "fragment"),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400, "CRLF"),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "header"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400, "header value"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", 400, "CR"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400, "whitespace"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400, "header"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host header is missing"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n", 400, "2 Host headers"),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "2 Host headers"),
        (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 400, "Host"),
        (b"GET /\r\n\r\n", 505, "HTTP/0.9"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/2.0"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "HTTP/2 is not spoken here"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405, "not a proxy"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2049\r\n\r\n", 413, "2048 bytes"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, ""),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400, "Content-Length"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400, "Content-Length"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            400,
            "Content-Length",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"
            b"\r\n0\r\n\r\n",
            400,
            "",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"
            b"\r\n0\r\n\r\n",
            400,
            "",
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "chunked"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, ""),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "chunk"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na", 400, "CR"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417, "100-continue"),
        (UPGRADE[:-2] + b"Content-Length: 3\r\n\r\n", 400, "no body"),
        (UPGRADE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", 400, "no body"),
    ],
)
@three_ways
def test_a_request_that_is_none_is_refused(feed: Feed, data: bytes, status: int, word: str) -> None:
    refused(data, feed, status, word)


def test_a_handshake_with_a_declared_body_of_nothing_is_let_through() -> None:
    [request], parser = whole(UPGRADE[:-2] + b"Content-Length: 0\r\n\r\nrest")
    assert request.upgrade
    assert parser.rest == b"rest"


def test_connect_is_answered_with_what_is_allowed() -> None:
    _, parser = whole(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert parser.error is not None
    assert parser.error.headers == (("Allow", "GET"),)


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


def test_a_client_that_waits_for_continue_is_noticed_until_the_body_comes() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n"
    parser = new()
    assert len(parser.feed(GET + head)) == 1
    assert parser.wants_continue
    assert parser.feed(b"ab") == []
    assert not parser.wants_continue
    [request] = parser.feed(b"cd")
    assert request.body == b"abcd"
    assert not parser.wants_continue


def test_who_sends_the_body_at_once_waits_for_nothing() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    parser = new()
    assert parser.feed(head + b"a") == []
    assert not parser.wants_continue
    assert len(whole(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")[0]) == 1


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


def test_a_finished_parser_leaves_no_reference_cycle() -> None:
    for data in (UPGRADE, b"nonsense", GET[:-2] + b"Connection: close\r\n\r\n"):
        whole(data)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                whole(data)
            assert gc.collect() == 0
        finally:
            gc.enable()


def test_a_mistake_of_ours_is_not_blamed_on_the_peer() -> None:
    class Broken(RequestParser):
        def on_headers_complete(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(HttpParserCallbackError) as caught:
        Broken(MAX_HEAD, MAX_BODY).feed(GET)
    assert isinstance(caught.value.__context__, ZeroDivisionError)


def test_an_empty_feed_changes_nothing() -> None:
    parser = new()
    assert parser.feed(b"") == []
    assert len(parser.feed(GET)) == 1


PARTS = st.sampled_from(
    [
        GET, UPGRADE, b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b":", b"GET ", b"POST /x",
        b"PRI * ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"HTTP/2.0", b"Host: a\r\n", b"Host:",
        b"0\r\n\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n",
        b"abc", b"Connection: upgrade\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"\xff",
        b"\x00", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"x" * 200,
    ]
)  # fmt: skip
STREAMS = st.lists(PARTS | st.binary(max_size=20), max_size=12).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 3000), max_size=6))
def test_how_the_bytes_are_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    requests, parser = whole(data, new(300, 8))
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    cut_parser = new(300, 8)
    cut_requests: list[Request] = []
    rest = b""
    for start, end in pairwise(edges):
        done = bool(cut_requests and cut_requests[-1].upgrade)
        cut_requests += cut_parser.feed(data[start:end])
        rest += data[start:end] if done else b""
    assert seen(cut_requests) == seen(requests)
    assert cut_parser.rest + rest == parser.rest
    assert (parser.error is None) == (cut_parser.error is None)
    if parser.error is not None and cut_parser.error is not None:
        assert cut_parser.error.status == parser.error.status


@given(STREAMS | st.binary(max_size=400))
def test_garbage_never_raises_and_the_parser_stays_usable(data: bytes) -> None:
    requests, parser = by_byte(data, new(300, 8))
    assert all(len(one.body) <= 8 for one in requests)
    for one in requests:
        assert all(isinstance(text, str) for text in (one.path, one.host, *one.query, *one.cookies))
    assert parser.feed(b"") == []
