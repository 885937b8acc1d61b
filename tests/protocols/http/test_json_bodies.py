"""Bodies in JSON, and those that are none."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import HttpError
from lineman.protocols.http.json_bodies import read_json


@pytest.mark.parametrize(
    ("body", "value"),
    [(b'{"a": [1, 2.5, null, true, "\xc3\xbc"]}', {"a": [1, 2.5, None, True, "ü"]}), (b" 5 ", 5)],
)
def test_json_is_read(body: bytes, value: Any) -> None:
    assert read_json(body) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{'a': 1}", b"\xff", b'"\xff"', b"[" * 100_000, b"NaN", b"1 2", b'{"a":1,}'],
    ids=lambda body: repr(body[:8]),
)
def test_what_is_no_json_is_a_400(body: bytes) -> None:
    with pytest.raises(HttpError) as caught:
        read_json(body)
    assert caught.value.status == 400
