"""Server-sent events, as `EventSource` reads them."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.protocols.http.event_stream import ServerSentEvent


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (ServerSentEvent("hello"), b"data: hello\n\n"),
        (ServerSentEvent(), b"data: \n\n"),
        (ServerSentEvent("a\nb\r\nc\rd"), b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (ServerSentEvent("ü", event="news", id=7), b"event: news\nid: 7\ndata: \xc3\xbc\n\n"),
        (ServerSentEvent("x", retry=2.5), b"retry: 2500\ndata: x\n\n"),
        (ServerSentEvent("x\n"), b"data: x\ndata: \n\n"),
    ],
    ids=repr,
)
def test_an_event_goes_over_the_wire(event: ServerSentEvent, wire: bytes) -> None:
    assert event.encode() == wire


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"data": {"a": 1}}, "json.dumps"),
        ({"data": b"x"}, "give text"),
        ({"event": "a\nb"}, "give one line"),
        ({"id": "a\rdata: forged"}, "give one line"),
        ({"id": "a\0"}, "give one line"),
        ({"event": b"x"}, "give one line"),
        ({"retry": -1}, "give seconds"),
        ({"retry": "3"}, "give seconds"),
        ({"retry": float("nan")}, "give seconds"),
    ],
)
def test_what_would_forge_another_event_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ServerSentEvent(**given)
