"""What `proxy=` may say; a password is never shown."""

from __future__ import annotations

import sys

import pytest

from lineman import ClientOptions, ConfigError, Dialer, UsageError, connect
from lineman.client.client_options import plan
from lineman.client.proxy_address import ProxyAddress, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy:3128", ProxyAddress("http", "proxy", 3128)),
        ("HTTP://proxy:3128/", ProxyAddress("http", "proxy", 3128)),
        ("socks5://[::1]:1080", ProxyAddress("socks5", "::1", 1080)),
        ("socks5h://u:p@h:1", ProxyAddress("socks5", "h", 1, "u", "p")),
        ("http://u@h:1", ProxyAddress("http", "h", 1, "u", "")),
        ("http://a%40b:c%3Ad%2F@h:1", ProxyAddress("http", "h", 1, "a@b", "c:d/")),
        ("http://u:p/w?#@h:1", ProxyAddress("http", "h", 1, "u", "p/w?#")),
    ],
)
def test_an_address_of_a_proxy_is_read(text: str, expected: ProxyAddress) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (7, "proxy is a int"),
        ("", "no scheme"),
        ("proxy:3128", "no scheme"),
        ("https://u:secret@h:1", "TLS to the proxy itself"),
        ("socks4://u:secret@h:1", "has the scheme 'socks4'"),
        ("http://u:secret@h", "no good host and port"),
        ("http://u:secret@h:0", "no good host and port"),
        ("http://u:secret@h:99999", "no good host and port"),
        ("http://u:secret@:1", "no good host and port"),
        ("http://u:secret@h:1/path", "no good host and port"),
        ("http://u:secret", "no good host and port"),
        ("http://:secret@h:1", "no user"),
        ("socks5://:secret@h:1", "no user"),
        ("http://a%3Ab:secret@h:1", "a user with a colon"),
        ("socks5://u@h:1", "the password of the SOCKS5 proxy is empty"),
        ("socks5://u:secr%C3%A9t@h:1", "others than ASCII"),
        (f"socks5://u:{'secret' * 50}@h:1", "more than 255"),
        ("http://u:\udcffsecret@h:1", "no UTF-8"),
        ("http://\udcff:secret@h:1", "no UTF-8"),
    ],
)
def test_a_wrong_one_is_refused_and_its_password_not_quoted(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect("ws://example.com", proxy=text)
    assert words in str(caught.value)
    assert "secr" not in str(caught.value)


def test_the_password_is_in_no_repr() -> None:
    url = "http://user:secret@h:1"
    options = ClientOptions(proxy=url)
    seen = [
        options, plan("ws://example.com", options), parse(url), Dialer("ws://a", proxy=url),
        connect("ws://a", proxy=url), connect("ws://a", proxy=url, reconnect=True),
    ]  # fmt: skip
    assert "secret" not in " ".join(repr(each) + str(each) for each in seen)


def test_a_unix_socket_has_no_proxy() -> None:
    for url in ("ws+unix:///run/a.sock", "text+unix:///run/a.sock"):
        with pytest.raises(UsageError, match="which no proxy reaches"):
            connect(url, proxy="http://h:1")


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks.async_.asyncio", None)
    with pytest.raises(ConfigError, match=r"pip install 'lineman\[proxy\]'"):
        connect("ws://example.com", proxy="socks5://h:1")
    connect("ws://example.com", proxy="http://h:1")
