"""What is wrong with an application's messages."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.asgi.app_messages import (
    accept_headers,
    body_of,
    out_of_order,
    payload_of,
    shown,
    status_of,
    type_of,
)
from lineman.errors import UsageError


@pytest.mark.parametrize("message", [None, 7, "a", {}, {"type": 7}, [("type", "a")]])
def test_a_message_has_a_type(message: Any) -> None:
    with pytest.raises(UsageError, match="an ASGI message is a dictionary"):
        type_of(message)
    assert type_of({"type": "a"}) == "a"


@pytest.mark.parametrize("status", [None, "200", 99, 101, 600, True, 200.0])
def test_a_status_is_one_of_an_answer(status: Any) -> None:
    with pytest.raises(UsageError, match="from 200 to 599"):
        status_of({"type": "http.response.start", "status": status})
    assert status_of({"status": 204}) == 204


def test_a_body_is_bytes_of_any_kind() -> None:
    assert body_of({}) == b""
    assert body_of({"body": bytearray(b"a")}) == body_of({"body": memoryview(b"a")}) == b"a"
    with pytest.raises(UsageError, match="is NoneType; ASGI wants bytes"):
        body_of({"type": "http.response.body", "body": None})


@pytest.mark.parametrize(
    "message", [{}, {"text": None}, {"text": "a", "bytes": b"b"}, {"bytes": "a"}, {"text": b"a"}]
)
def test_a_websocket_message_is_text_or_bytes(message: Any) -> None:
    with pytest.raises(UsageError, match="exactly one"):
        payload_of(message)
    assert payload_of({"text": "a", "bytes": None}) == "a"
    assert payload_of({"bytes": bytearray(b"a")}) == b"a"


def test_headers_of_an_accept_are_texts() -> None:
    assert accept_headers({"headers": [(b"a", b"\xe9")]}) == [("a", "é")]
    assert accept_headers({}) == []
    with pytest.raises(UsageError, match="pairs of bytes"):
        accept_headers({"headers": [("a", "b")]})


def test_errors_show_no_bodies() -> None:
    assert shown({"type": "a", "body": b"secret"}) == "{'type': …, 'body': …}"
    assert str(out_of_order("a", "twice", "'b'")) == (
        "the application sent 'a' twice; ASGI allows there: 'b'"
    )
