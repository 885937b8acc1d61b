"""The answer to a plain request, as it goes on the line."""

from __future__ import annotations

import pytest

from lineman.errors import UsageError
from lineman.protocols.http.responses import Response


def test_a_text_response_is_utf_8() -> None:
    assert Response("grüß").encode() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"
        b"Connection: keep-alive\r\n\r\ngr\xc3\xbc\xc3\x9f"
    )


def test_a_bytes_response_is_an_octet_stream() -> None:
    head, _, body = (
        Response(b"\x00\xff", status=404).encode(keep_alive=False).partition(b"\r\n\r\n")
    )
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/octet-stream\r\n")
    assert head.endswith(b"\r\nConnection: close")
    assert body == b"\x00\xff"


def test_the_answer_to_head_says_the_length_and_has_no_body() -> None:
    encoded = Response("hello").encode(head_only=True)
    assert b"Content-Length: 5\r\n" in encoded
    assert encoded.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content_has_neither_length_nor_body(status: int) -> None:
    encoded = Response("ignored", status=status).encode()
    assert b"Content-Length" not in encoded
    assert encoded.endswith(b"\r\n\r\n")


def test_the_content_type_is_the_callers_if_it_gives_one() -> None:
    assert b"Content-Type: text/html\r\n" in Response("<p>", content_type="text/html").encode()
    encoded = Response("{}", headers={"content-type": "application/json"}).encode()
    assert b"content-type: application/json\r\n" in encoded
    assert b"text/plain" not in encoded


def test_headers_are_a_mapping_or_pairs() -> None:
    assert b"X-A: 1\r\n" in Response(headers={"X-A": "1"}).encode()
    encoded = Response(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=\xe4")]).encode()
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=\xe4\r\n" in encoded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nSet-Cookie: b=1"),
        ("X-A", "a\n"),
        ("X-A", "a\r"),
        ("X-A", "a\x00b"),
        ("X-A", "\u2603"),
        ("X-A", 5),
        ("X A", "a"),
        ("X-A\n", "a"),
        ("X-A:", "a"),
        ("", "a"),
        (5, "a"),
        ("Content-Length", "5"),
        ("connection", "keep-alive"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "websocket"),
    ],
)
def test_a_header_that_would_break_the_message_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        Response(headers=[(name, value)])
    response = Response()
    response.headers.append((name, value))
    with pytest.raises(UsageError):
        response.encode()


def test_a_content_type_cannot_split_the_response() -> None:
    with pytest.raises(UsageError):
        Response("", content_type="text/plain\r\nX: y")


@pytest.mark.parametrize("status", [101, 99, 600, "200", None])
def test_a_status_that_cannot_be_sent_is_refused(status: int) -> None:
    with pytest.raises(UsageError, match="200 to 599"):
        Response(status=status)


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match="not dict"):
        Response({})  # type: ignore[arg-type]


def test_a_status_without_a_name_of_its_own_is_sent_too() -> None:
    assert Response(status=599).encode().startswith(b"HTTP/1.1 599 Unknown\r\n")
