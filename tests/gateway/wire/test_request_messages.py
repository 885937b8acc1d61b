"""Requests and answers between gateway processes and business workers."""

from __future__ import annotations

from typing import get_args

import pytest

from lineman.gateway.wire import messages
from lineman.gateway.wire.request_messages import AnswerHead, CallApp, OfAnswer, OfRequest
from lineman.links.framing import LENGTH, encode_frames

CALL = CallApp(
    1, "GET", "/", "1.1", (("host", "a"),), "::1", 5, "https", ("::", 1), b"\xff", True, False,
    ("TLSv1.3", "a", "CN=b", (b"\x00\xff",)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (CALL, messages.TO_BUSINESS),
        (AnswerHead(1, 200, b"a: b\r\n", -1, False, True, b"\x00"), messages.TO_GATEWAY),
    ],
)
def test_they_come_as_they_were_sent(message: object, wire: messages.WireFormat) -> None:
    (frame,), bad = encode_frames([message])  # type: ignore[list-item]
    assert bad == []
    assert list(wire.decode_batch(frame[LENGTH:])) == [message]


def test_no_kind_has_the_tag_of_another_one() -> None:
    kinds = (*get_args(OfRequest), *get_args(OfAnswer))
    assert len({kind.__struct_config__.tag for kind in kinds}) == len(kinds)
