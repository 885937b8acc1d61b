"""Which web pages may open a websocket."""

import pytest

from lineman.errors import ConfigError
from lineman.protocols.http import Headers, Request
from lineman.protocols.websocket.handshake import OriginPolicy

# Origins


def from_page(
    origin: str | None, host: str = "chat.example.com", *more: tuple[str, str]
) -> Request:
    lines = [("Host", host), *more]
    if origin is not None:
        lines.append(("Origin", origin))
    return Request("GET", "/", "1.1", Headers(lines), upgrade=True)


COOKIE = ("Cookie", "session=1")
CREDENTIALS = ("Authorization", "Basic dG9tOnRvbQ==")


@pytest.mark.parametrize(
    ("entry", "origin", "is_allowed"),
    [
        ("https://chat.example.com", "https://chat.example.com", True),
        ("https://chat.example.com", "HTTPS://Chat.Example.Com:443", True),
        ("https://chat.example.com", "https://chat.example.com.", True),
        ("https://Chat.example.com", "https://chat.example.com", True),
        ("http://chat.example.com:80", "http://chat.example.com", True),
        ("https://chat.example.com", "http://chat.example.com", False),
        ("https://chat.example.com", "https://chat.example.com:8443", False),
        ("https://chat.example.com", "https://example.com", False),
        ("https://chat.example.com", "https://chat.example.com.evil.example", False),
        ("https://chat.example.com", "https://evil.example/https://chat.example.com", False),
        ("https://chat.example.com", "https://chat.example.com@evil.example", False),
        ("https://chat.example.com", "https://chat.example.com https://evil.example", False),
        ("https://chat.example.com", "null", False),
        ("https://chat.example.com", "", False),
        ("https://chat.example.com", "chat.example.com", False),
        ("https://chat.example.com:8443", "https://chat.example.com:8443", True),
        ("https://chat.example.com:8443", "https://chat.example.com", False),
        ("https://*.example.com", "https://a.example.com", True),
        ("https://*.example.com", "https://a.b.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://evilexample.com", False),
        ("https://*.example.com", "http://a.example.com", False),
        ("https://*.example.com", "https://a.example.com:8443", False),
        ("https://*.example.com:8443", "https://a.example.com:8443", True),
        ("http://[::1]:8080", "http://[::1]:8080", True),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080", True),
        ("http://[::1]", "http://[::1", False),
        ("http://[::1]", "http://[:::1]", False),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("chrome-extension://abc", "chrome-extension://abc", True),
        ("file://", "file://", True),
        ("null", "null", True),
        ("null", "https://null", False),
        ("*", "null", True),
        ("*", "https://anywhere.example", True),
        ("*", "not an origin", True),
    ],
)
def test_the_list_of_origins_decides(entry: str, origin: str, is_allowed: bool) -> None:
    error = OriginPolicy([entry]).refusal(from_page(origin, "chat.example.com", COOKIE))
    assert (error is None) is is_allowed
    if error is not None:
        assert error.status == 403


def test_one_matching_entry_of_several_is_enough() -> None:
    policy = OriginPolicy(["https://a.example", "https://*.b.example", "https://*.c.example"])
    assert policy.refusal(from_page("https://x.c.example")) is None
    assert policy.refusal(from_page("https://x.d.example")) is not None


def test_an_empty_list_lets_no_page_in() -> None:
    assert OriginPolicy([]).refusal(from_page("https://chat.example.com")) is not None
    assert OriginPolicy([]).refusal(from_page(None)) is None


@pytest.mark.parametrize("policy", [OriginPolicy(), OriginPolicy(["https://a.example"])])
def test_who_sends_no_origin_is_no_browser_and_let_in(policy: OriginPolicy) -> None:
    assert policy.refusal(from_page(None, "chat.example.com", COOKIE)) is None


@pytest.mark.parametrize("policy", [OriginPolicy(), OriginPolicy(["https://a.example"])])
def test_a_doubled_origin_is_refused(policy: OriginPolicy) -> None:
    request = from_page("https://a.example", "a.example", ("Origin", "https://a.example"))
    error = policy.refusal(request)
    assert error is not None
    assert error.status == 403


@pytest.mark.parametrize("credential", [COOKIE, CREDENTIALS])
def test_another_sites_page_with_credentials_is_refused_with_what_to_set(
    credential: tuple[str, str],
) -> None:
    request = from_page("https://evil.example", "chat.example.com:8282", credential)
    error = OriginPolicy().refusal(request)
    assert error is not None
    assert error.status == 403
    assert 'origins=["https://evil.example"]' in error.text
    assert "chat.example.com" in error.text
    assert "proxy_set_header Host $http_host;" in error.text


def test_another_sites_page_without_credentials_is_let_in() -> None:
    assert OriginPolicy().refusal(from_page("https://evil.example")) is None
    assert OriginPolicy().refusal(from_page("null")) is None


@pytest.mark.parametrize(
    ("origin", "host", "is_same_site"),
    [
        ("https://chat.example.com", "chat.example.com", True),
        ("https://chat.example.com", "chat.example.com:8282", True),
        ("https://chat.example.com:8443", "chat.example.com", True),
        ("http://chat.example.com", "CHAT.example.com.", True),
        ("https://Chat.Example.Com.", "chat.example.com:443", True),
        ("http://localhost:3000", "localhost:8282", True),
        ("http://127.0.0.1:3000", "127.0.0.1:8282", True),
        ("http://[::1]:3000", "[0:0::1]:8282", True),
        ("https://example.com", "chat.example.com", False),
        ("https://a.chat.example.com", "chat.example.com", False),
        ("https://evilchat.example.com", "chat.example.com", False),
        ("http://localhost", "127.0.0.1", False),
        ("null", "chat.example.com", False),
        ("null", "null", False),
        ("", "", False),
        ("file://", "", False),
        ("https://", "", False),
        ("chat.example.com", "chat.example.com", False),
        ("https://chat.example.com/", "chat.example.com", False),
        ("https://evil.example", "127.0.0.1:8282", False),
    ],
)
def test_without_a_list_the_host_names_are_compared(
    origin: str, host: str, is_same_site: bool
) -> None:
    error = OriginPolicy().refusal(from_page(origin, host, COOKIE))
    assert (error is None) is is_same_site


@pytest.mark.parametrize("origin", ['https://a"],x=["b', "https://a<script>", "x" * 400, ""])
def test_what_is_no_origin_is_not_repeated(origin: str) -> None:
    for policy in (OriginPolicy(), OriginPolicy(["https://a.example"])):
        error = policy.refusal(from_page(origin, "chat.example.com", COOKIE))
        assert error is not None
        assert "<not an origin>" in error.text
        assert not origin or origin not in error.text


@pytest.mark.parametrize(
    ("entry", "right"),
    [
        ("chat.example.com", '"https://chat.example.com"'),
        ("chat.example.com:8443", '"https://chat.example.com:8443"'),
        ("*.example.com", '"https://*.example.com"'),
        ("https://chat.example.com/", '"https://chat.example.com"'),
        ("https://chat.example.com/page?x#y", '"https://chat.example.com"'),
        ("wss://chat.example.com", '"https://chat.example.com"'),
        ("ws://localhost:3000", '"http://localhost:3000"'),
        (" https://chat.example.com", '"https://chat.example.com"'),
        ("https://münchen.example", '"https://xn--mnchen-3ya.example"'),
        ("https://chat.*.com", "https://*.example.com"),
        ("https://*", "https://*.example.com"),
        ("https://a:99999", "https://chat.example.com"),
        ("https://user@a", "https://chat.example.com"),
        ("https://[::1", "https://chat.example.com"),
        ("https://a..\u00fc", "https://chat.example.com"),
        ("https://", "https://chat.example.com"),
        ("", "https://chat.example.com"),
        (5, "https://chat.example.com"),
    ],
)
def test_an_entry_that_can_match_nothing_is_refused_with_the_right_spelling(
    entry: str, right: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        OriginPolicy([entry])
    assert right in caught.value.fix
    assert repr(entry) in caught.value.seen


def test_the_right_spelling_is_accepted() -> None:
    for entry in (
        "https://xn--mnchen-3ya.example",
        "https://*.example.com",
        "http://localhost:3000",
    ):
        OriginPolicy([entry])


def test_a_single_string_is_not_a_list_of_origins() -> None:
    with pytest.raises(ConfigError, match=r"origins=\['https://a'\]"):
        OriginPolicy("https://a")
