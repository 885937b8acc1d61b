"""Reading websocket addresses."""

from __future__ import annotations

import pytest

from lineman.errors import UsageError
from lineman.protocols.websocket.client.url import Target, parse


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("ws://127.0.0.1:8282/", Target("ws", "127.0.0.1", 8282, "/")),
        ("ws://127.0.0.1", Target("ws", "127.0.0.1", 80, "/")),
        ("wss://example.com", Target("wss", "example.com", 443, "/")),
        ("WSS://Example.COM/Chat", Target("wss", "example.com", 443, "/Chat")),
        ("wss://example.com?room=7", Target("wss", "example.com", 443, "/?room=7")),
        ("wss://example.com/a/b?x=1&y=2", Target("wss", "example.com", 443, "/a/b?x=1&y=2")),
        ("ws://[::1]:9000/x", Target("ws", "::1", 9000, "/x")),
        ("ws://example.com/聊天?名=a b", Target("ws", "example.com", 80,
         "/%E8%81%8A%E5%A4%A9?%E5%90%8D=a%20b")),
        ("ws://example.com/%E8?a=%20", Target("ws", "example.com", 80, "/%E8?a=%20")),
        ("ws://bücher.example/", Target("ws", "xn--bcher-kva.example", 80, "/")),
    ],
)  # fmt: skip
def test_an_address_says_where_and_what(url: str, target: Target) -> None:
    assert parse(url) == target


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("example.com:80", "no scheme"),
        ("http://example.com/chat", "write ws://example.com/chat"),
        ("https://example.com/chat", "write wss://example.com/chat"),
        ("tcp://example.com", "has the scheme 'tcp'"),
        ("ws://", "no host"),
        ("ws:///chat", "no host"),
        ("ws://example.com:0/", "no port"),
        ("ws://example.com:99999/", "cannot be read"),
        ("ws://example.com:eighty/", "cannot be read"),
        ("ws://[::1/", "cannot be read"),
        ("ws://a..b/", "not a host name"),
        ("ws://tom:secret@example.com/", "--header 'Authorization"),
        ("ws://example.com/#top", "fragment"),
        ("ws://example.com/#", "fragment"),
    ],
)
def test_what_is_no_address_is_refused_with_the_right_spelling(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("[", r"\[")):
        parse(url)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("ws://example.com/", "example.com"),
        ("ws://example.com:80/", "example.com"),
        ("ws://example.com:443/", "example.com:443"),
        ("wss://example.com:443/", "example.com"),
        ("ws://[::1]:9000/", "[::1]:9000"),
    ],
)
def test_host_holds_the_port_where_it_is_not_the_schemes_own(url: str, authority: str) -> None:
    assert parse(url).authority == authority


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:8282/a?b=1", "wss://[::1]:9/", "wss://example.com/"]
)
def test_an_address_is_written_as_it_is_read(url: str) -> None:
    assert str(parse(url)) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws:/127.0.0.1:1", "'ws:/127.0.0.1:1' lacks // behind the colon; write ws://127.0.0.1:1"),
        ("wss:a.example/chat", "write wss://a.example/chat"),
    ],
)
def test_slashes_that_are_missing_are_told(url: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(url)
    assert words in str(caught.value)


def test_the_same_place_can_be_named_with_another_scheme() -> None:
    assert str(parse("ws://h:8282/x").with_scheme("wss")) == "wss://h:8282/x"


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("ws://h/é?q=é", "/%C3%A9?q=%C3%A9"),
        # What a terminal's encoding does not know reaches us so: as the bytes that were typed.
        ("ws://h/\udcc3\udca9", "/%C3%A9"),
        ("ws://h/\udce9?\udce9", "/%E9?%E9"),
    ],
)
def test_letters_of_any_encoding_go_as_they_were_typed(url: str, resource: str) -> None:
    assert parse(url).resource == resource


def test_a_name_is_read_as_utf_8_whatever_the_terminal_speaks() -> None:
    assert parse("ws://\udcc3\udca9.test/").host == "xn--9ca.test"
    with pytest.raises(UsageError, match="is not a host name"):
        parse("ws://\udce9.test/")
    with pytest.raises(UsageError, match="percent-encode"):
        parse("ws://h/\ud800")
