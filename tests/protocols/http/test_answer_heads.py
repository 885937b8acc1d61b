"""Refusals, as they go on the line."""

from __future__ import annotations

import pytest

from lineman.errors import HttpError, UsageError
from lineman.protocols.http.answer_heads import error_response


def test_an_error_is_one_line_of_plain_text_and_closes() -> None:
    assert error_response(HttpError(400, "no\r\nsuch\x00thing:\u2028é")) == (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 18\r\n"
        b"X-Content-Type-Options: nosniff\r\n\r\nno such thing: \xc3\xa9\n"
    )


def test_an_error_brings_the_headers_its_status_demands() -> None:
    error = HttpError(426, "x", (("Upgrade", "websocket"), ("Connection", "Upgrade")))
    encoded = error_response(error)
    assert encoded.startswith(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n")
    assert b"Connection: Upgrade, close\r\n" in encoded
    assert encoded.count(b"Connection:") == 1


def test_a_line_break_in_the_header_of_an_error_is_refused() -> None:
    with pytest.raises(UsageError):
        error_response(HttpError(400, "x", (("X", "a\r\nb: c"),)))


def test_text_that_cannot_be_encoded_is_replaced() -> None:
    assert error_response(HttpError(400, "a\ud800")).endswith(b"\r\n\r\na?\n")
