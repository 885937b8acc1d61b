"""Where clients connect that do not speak websocket."""

from __future__ import annotations

import re

import pytest

from lineman import UsageError
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


@pytest.mark.parametrize(
    ("url", "path", "resource", "shown"),
    [
        ("ws+unix:///run/app.sock", "/run/app.sock", "/", "ws+unix:///run/app.sock"),
        ("WSS+UNIX:///a:/b?c=d e", "/a", "/b?c=d%20e", "wss+unix:///a:/b?c=d%20e"),
        ("ws+unix:///a:b", "/a:b", "/", "ws+unix:///a:b"),
    ],
)
def test_a_websocket_on_a_unix_socket_has_its_requests_path_behind_a_colon(
    url: str, path: str, resource: str, shown: str
) -> None:
    found = parse(url)
    assert isinstance(found, Target)
    assert (found.unix_path, found.place, found.resource) == (path, path, resource)
    assert (found.authority, found.server_name, str(found)) == ("localhost", "localhost", shown)
    assert str(found.with_tls(not found.is_tls).with_tls(found.is_tls)) == shown


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws+unix://run/a", "no absolute path"),
        ("ws+unix:///" + "a" * 200, "a unix socket's may have 107"),
        ("ws+unix:///a:/b#c", "has a fragment"),
        ("ws+unix:/a", "write ws+unix:///a"),
    ],
)
def test_a_wrong_address_of_a_unix_socket_is_refused(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse(url)
