"""Where clients connect that do not speak websocket."""

from __future__ import annotations

import pytest

from lineman.client.stream_target import StreamTarget, parse
from lineman.protocols.websocket.client.url import Target


def stream(url: str) -> StreamTarget:
    found = parse(url)
    assert isinstance(found, StreamTarget)
    return found


@pytest.mark.parametrize(
    ("url", "place", "name"),
    [
        ("text://localhost:9000", "localhost, port 9000", "localhost"),
        ("FRAME+TLS://[::1]:9000/", "::1, port 9000", "::1"),
        ("tcp+unix:///run/app.sock", "/run/app.sock", "localhost"),
    ],
)
def test_a_url_says_where_to_connect(url: str, place: str, name: str) -> None:
    assert (stream(url).place, stream(url).server_name) == (place, name)


def test_the_other_kind_of_line_is_named_for_a_hint() -> None:
    assert str(stream("text://h:1").with_tls(True)) == "text+tls://h:1"
    assert str(stream("text+tls://h:1").with_tls(False)) == "text://h:1"


def test_every_other_url_is_that_of_a_websocket() -> None:
    assert isinstance(parse("wss://example.com/chat"), Target)
