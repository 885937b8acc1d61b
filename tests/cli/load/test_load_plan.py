"""Options that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.cli.load.load_plan import Mode, Plan, new_payload
from lineman.errors import UsageError
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse

OPENING = ClientOpening(parse("ws://127.0.0.1:1/"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": Mode.IDLE, "rate": 5.0}, "leave --rate out"),
        ({"rate": 5.0, "batch": True}, "give one of them"),
    ],
)
def test_what_contradicts_itself_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Plan(OPENING, **options)


@pytest.mark.parametrize("size", [0, 1, 125, 70_000])
def test_the_payload_has_the_size_that_was_asked_for_as_bytes_and_as_text(size: int) -> None:
    payload = new_payload(size)
    assert len(payload) == size
    assert len(payload.decode("ascii")) == size
