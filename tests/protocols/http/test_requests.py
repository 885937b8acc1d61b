import gc
from itertools import pairwise

import pytest
from httptools import HttpParserCallbackError
from hypothesis import given
from hypothesis import strategies as st

from lineman.protocols.http.requests import Request, RequestParser
from protocols.http.feeding import (
    GET,
    MAX_BODY,
    MAX_HEAD,
    UPGRADE,
    Feed,
    by_byte,
    new,
    refused,
    seen,
    three_ways,
    whole,
)


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
