"""A body that is handed on as it comes, and the parser that fills it."""

from __future__ import annotations

import pytest

from lineman.protocols.http.incoming_body import IncomingBody
from lineman.protocols.http.requests import RequestParser

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
COUNTED = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"


def parser() -> RequestParser:
    return RequestParser(4096, 4, streams=True)


@pytest.mark.parametrize("head", [COUNTED, CHUNKED])
def test_a_request_comes_with_its_head_and_its_body_later(head: bytes) -> None:
    made = parser()
    (request,) = made.feed(head)
    body = request.body
    assert isinstance(body, IncomingBody)
    assert body.is_open
    pieces = [b"abc", b"def"] if head is COUNTED else [b"3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"]
    assert made.feed(pieces[0]) == []
    assert body.take() == b"abc"
    assert not body.is_whole
    assert made.feed(pieces[1]) == []
    assert (body.take(), body.is_whole, body.is_open) == (b"def", True, False)
    assert made.error is None
    assert len(body) == 6


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_requests_behind_a_body_come_in_order(size: int) -> None:
    wire = (
        COUNTED
        + b"abcdef"
        + CHUNKED
        + b"1\r\nx\r\n0\r\n\r\n"
        + b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    made, found = parser(), []
    for begin in range(0, len(wire), size):
        found += made.feed(wire[begin : begin + size])
    assert [request.method for request in found] == ["POST", "POST", "GET"]
    assert [bytes(each.body.take()) for each in found[:2]] == [b"abcdef", b"x"]
    assert found[2].body == b""
    assert found[0].headers.encode() == [(b"host", b"a"), (b"content-length", b"6")]


def test_a_body_whose_rest_is_malformed_is_cut() -> None:
    made = parser()
    (request,) = made.feed(CHUNKED + b"3\r\nabc\r\nzz\r\n")
    assert made.error is not None
    assert request.body.is_cut
    assert request.body.take() == b"abc"


def test_a_client_that_waits_to_be_asked_is_marked() -> None:
    (request,) = (made := parser()).feed(COUNTED[:-2] + b"Expect: 100-continue\r\n\r\n")
    assert request.body.wants_continue
    assert not made.wants_continue
    made.feed(b"a")
    assert not request.body.wants_continue
