"""Which web pages may open a websocket, and what the program is shown of their visitors."""

from __future__ import annotations

import itertools

import pytest

from lineman.errors import ConfigError
from lineman.protocols.http.requests import Headers, Request
from lineman.protocols.websocket.origins import (
    OriginPolicy,
    Standing,
    is_no_site,
    without_identity,
)

# Origins


def from_page(
    origin: str | None, host: str = "chat.example.com", *more: tuple[str, str]
) -> Request:
    lines = [("Host", host), *more]
    if origin is not None:
        lines.append(("Origin", origin))
    return Request("GET", "/", "1.1", Headers(lines), upgrade=True)


def refusal(policy: OriginPolicy, request: Request) -> str | None:
    """The words of a 403, or None."""
    verdict = policy.judge(request)
    return verdict.words if verdict.standing is Standing.REFUSED else None


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
    error = refusal(OriginPolicy([entry]), from_page(origin, "chat.example.com", COOKIE))
    assert (error is None) is is_allowed


def test_one_matching_entry_of_several_is_enough() -> None:
    policy = OriginPolicy(["https://a.example", "https://*.b.example", "https://*.c.example"])
    assert refusal(policy, from_page("https://x.c.example")) is None
    assert refusal(policy, from_page("https://x.d.example")) is not None


def test_an_empty_list_lets_no_page_in() -> None:
    assert refusal(OriginPolicy([]), from_page("https://chat.example.com")) is not None
    assert refusal(OriginPolicy([]), from_page(None)) is None


@pytest.mark.parametrize("policy", [OriginPolicy(), OriginPolicy(["https://a.example"])])
def test_who_sends_no_origin_is_no_browser_and_let_in(policy: OriginPolicy) -> None:
    assert refusal(policy, from_page(None, "chat.example.com", COOKIE)) is None


@pytest.mark.parametrize("policy", [OriginPolicy(), OriginPolicy(["https://a.example"])])
def test_a_doubled_origin_is_refused(policy: OriginPolicy) -> None:
    request = from_page("https://a.example", "a.example", ("Origin", "https://a.example"))
    error = refusal(policy, request)
    assert error is not None


@pytest.mark.parametrize("credential", [COOKIE, CREDENTIALS])
def test_another_sites_page_with_credentials_is_refused_with_what_to_set(
    credential: tuple[str, str],
) -> None:
    request = from_page("https://evil.example", "chat.example.com:8282", credential)
    error = refusal(OriginPolicy(), request)
    assert error is not None
    assert 'origins=["https://evil.example"]' in error
    assert "chat.example.com" in error
    assert "proxy_set_header Host $http_host;" in error


def test_another_sites_page_without_credentials_is_let_in() -> None:
    assert refusal(OriginPolicy(), from_page("https://evil.example")) is None
    assert refusal(OriginPolicy(), from_page("null")) is None


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
        ("null", "chat.example.com", False),
        ("chat.example.com", "chat.example.com", False),
        ("https://chat.example.com/", "chat.example.com", False),
        ("https://www.chat.example.com", "chat.example.com", True),
        ("https://chat.example.com", "www.chat.example.com:8282", True),
        ("https://www.www.chat.example.com", "chat.example.com", False),
        ("https://wwwchat.example.com", "chat.example.com", False),
        ("http://www.chat.localhost:3000", "chat.localhost:8282", True),
        ("https://www2.chat.example.com", "chat.example.com", False),
        ("https://www..chat.example.com", "chat.example.com", False),
    ],
)
def test_without_a_list_the_host_names_are_compared(
    origin: str, host: str, is_same_site: bool
) -> None:
    error = refusal(OriginPolicy(), from_page(origin, host, COOKIE))
    assert (error is None) is is_same_site


@pytest.mark.parametrize("origin", ['https://a"],x=["b', "https://a<script>", "x" * 400, ""])
def test_what_is_no_origin_is_not_repeated(origin: str) -> None:
    for policy in (OriginPolicy(), OriginPolicy(["https://a.example"])):
        error = refusal(policy, from_page(origin, "chat.example.com", COOKIE))
        assert error is not None
        assert "<not an origin>" in error
        assert not origin or origin not in error


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


# Where the proxy has hidden the Host.

FOREIGN = "https://evil.example"
HIDDEN = [
    "127.0.0.1:8282", "127.0.0.1", "localhost:8282", "a.localhost", "[::1]:8282", "10.0.0.5:8282",
    "203.0.113.9", "[2001:db8::1]", "127.1:8282", "2130706433", "0x7f.1", "backend", "wss_backend",
    "app:8282", "host.docker.internal:8282", "chat.default.svc.cluster.local", "", "app.test:8282",
]  # fmt: skip
"""The last is where the service itself listens."""
NAMED = [
    "chat.example.com", "chat.example.com:8282", "www.example.com", "a.b", "app.test:8283",
    "app.test", "xn--fiqs8s.example", "1.example.com", "0xample.com", "local.example",
]  # fmt: skip
LISTENING = ("app.test", 8282)
IDENTITIES = [
    (), (COOKIE,), (CREDENTIALS,), (("X-Forwarded-User", "tom"),), (("Remote-User", "tom"),),
    (("X-SSL-Client-Cert", "-----BEGIN"), ("Forwarded", "for=1.2.3.4")), (COOKIE, CREDENTIALS),
]  # fmt: skip
PAGES = [FOREIGN, "null", "not an origin", "", "https://sub.chat.example.org", "file://"]
NO_WORD = [
    (), (("Sec-Fetch-Site", "cross-site"),), (("Sec-Fetch-Site", "same-site"),),
    (("Sec-Fetch-Site", "none"),), (("Sec-Fetch-Site", "SAME-ORIGIN, x"),),
    (("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")),
    (("X-Forwarded-Host", "127.0.0.1"),), (("X-Forwarded-Host", "a b/c, ,"),),
    (("Forwarded", 'host="chat.example.org'),), (("Forwarded", "for=_hidden;by=10.0.0.1"),),
    (("Forwarded", "host=a.example;host=evil.example"),),
]  # fmt: skip
"""What leaves open of which site a page is."""


@pytest.mark.parametrize("host", HIDDEN)
def test_a_page_that_cannot_be_judged_comes_in_as_a_stranger_whatever_it_brings(host: str) -> None:
    policy = OriginPolicy(None, LISTENING)
    for page, identity, word in itertools.product(PAGES, IDENTITIES, NO_WORD):
        verdict = policy.judge(from_page(page, host, *identity, *word))
        assert verdict.standing is Standing.STRANGER, (page, identity, word)
        assert "proxy_set_header Host $http_host;" in verdict.words
        assert "ProxyPreserveHost On" in verdict.words
        assert "origins=[" in verdict.words


@pytest.mark.parametrize("host", HIDDEN)
def test_a_certificate_cannot_be_withheld_so_that_its_client_is_no_stranger(host: str) -> None:
    policy = OriginPolicy(None, LISTENING)
    for page, identity in itertools.product(PAGES, IDENTITIES):
        verdict = policy.judge(from_page(page, host, *identity), lambda: True)
        assert verdict.standing is Standing.REFUSED
        assert "certificate" in verdict.words
        assert "proxy_set_header Host $http_host;" in verdict.words


@pytest.mark.parametrize("host", NAMED)
def test_a_page_that_is_known_to_be_foreign_may_not_bring_what_says_who_visits(host: str) -> None:
    policy = OriginPolicy(None, LISTENING)
    for page, identity, word in itertools.product(PAGES, IDENTITIES, NO_WORD):
        request = from_page(page, host, *identity, *word)
        brings = "cookie" in request.headers or "authorization" in request.headers
        expected = Standing.REFUSED if brings else Standing.FOREIGN
        assert policy.judge(request).standing is expected, (page, identity, word)
        assert policy.judge(request, lambda: True).standing is Standing.REFUSED


OWN_WORDS = [
    (("Sec-Fetch-Site", "same-origin"),),
    (("X-Forwarded-Host", "evil.example"),),
    (("X-Forwarded-Host", "EVIL.example.:8443"),),
    (("X-Forwarded-Host", "www.evil.example"),),
    (("X-Forwarded-Host", "front.example, evil.example"),),
    (("X-Forwarded-Host", "evil.example,front.example"),),
    (("X-Forwarded-Host", "front.example"), ("X-Forwarded-Host", "evil.example")),
    (("Forwarded", "for=1.2.3.4;host=evil.example;proto=https"),),
    (("Forwarded", 'for="[::1]:5", host="evil.example:8443"'),),
    (("Forwarded", 'Host="e\\vil.example"'),),
    (("Forwarded", "garbage;;"), ("Forwarded", "host=evil.example")),
]


@pytest.mark.parametrize("host", [*HIDDEN, *NAMED])
@pytest.mark.parametrize("words", OWN_WORDS, ids=str)
def test_what_a_proxy_or_the_browser_says_makes_a_page_one_of_this_site(
    host: str, words: tuple[tuple[str, str], ...]
) -> None:
    policy = OriginPolicy(None, LISTENING)
    for identity, shows in itertools.product(IDENTITIES, (True, False)):
        request = from_page(FOREIGN, host, *identity, *words)
        assert policy.judge(request, lambda shows=shows: shows).standing is Standing.OWN


@pytest.mark.parametrize("host", HIDDEN)
@pytest.mark.parametrize(
    "words",
    [
        ("X-Forwarded-Host", "chat.example.com"),
        ("X-Forwarded-Host", "127.0.0.1, chat.example.com"),
        ("Forwarded", 'host="chat.example.com:443"'),
    ],
)
def test_a_proxy_that_tells_another_site_has_not_hidden_it(
    host: str, words: tuple[str, str]
) -> None:
    policy = OriginPolicy(None, LISTENING)
    assert policy.judge(from_page(FOREIGN, host, words)).standing is Standing.FOREIGN
    refused = policy.judge(from_page(FOREIGN, host, words, COOKIE))
    assert refused.standing is Standing.REFUSED
    assert "chat.example.com" in refused.words


def test_the_www_of_a_top_level_domain_or_an_address_is_another_site() -> None:
    for page, host in (
        ("https://www.app", "app:8282"),
        ("https://www.127.0.0.1", "127.0.0.1"),
        ("https://app", "www.app"),
    ):
        verdict = OriginPolicy().judge(from_page(page, host, COOKIE))
        assert verdict.standing is not Standing.OWN, (page, host)


def test_a_list_of_origins_knows_no_strangers() -> None:
    policy = OriginPolicy(["https://a.example"], LISTENING)
    for host, word in itertools.product(HIDDEN, OWN_WORDS):
        assert policy.judge(from_page(FOREIGN, host, *word)).standing is Standing.REFUSED
        assert policy.judge(from_page("https://a.example", host)).standing is Standing.OWN


@pytest.mark.parametrize("host", [*HIDDEN, *NAMED])
def test_a_program_is_no_page_and_never_a_stranger(host: str) -> None:
    for identity in IDENTITIES:
        verdict = OriginPolicy(None, LISTENING).judge(from_page(None, host, *identity))
        assert verdict.standing is Standing.OWN
    doubled = from_page(FOREIGN, host, ("Origin", FOREIGN))
    assert OriginPolicy(None, LISTENING).judge(doubled).standing is Standing.REFUSED


def test_a_site_has_a_name_that_the_public_dns_can_have() -> None:
    assert is_no_site("localhost")
    assert is_no_site("[::1]")
    assert not is_no_site("localhost.example")
    assert not is_no_site("xn--80ak6aa92e.xn--p1ai")


# What is shown of a stranger.

SHOWN = [
    ("Host", "127.0.0.1:8282"), ("origin", "https://chat.example.com"), ("User-Agent", "x"),
    ("ACCEPT", "*/*"), ("Accept-Language", "vi"), ("Accept-Encoding", "br"),
    ("Sec-WebSocket-Key", "x"), ("Sec-WebSocket-Protocol", "chat"), ("Sec-Fetch-Dest", "websocket"),
    ("Forwarded", "for=1.2.3.4"), ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", "5.6.7.8"),
    ("X-Forwarded-Host", "127.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"),
    ("X-Real-IP", "1.2.3.4"),
]  # fmt: skip
WITHHELD = [
    ("Cookie", "secret"), ("cookie2", "secret"), ("Authorization", "secret"),
    ("Proxy-Authorization", "secret"), ("X-Forwarded-User", "secret"), ("Remote-User", "secret"),
    ("X-Forwarded-Client-Cert", "secret"), ("SSL-Client-Cert", "secret"), ("X-Real-IP-", "secret"),
    ("X_Real_IP", "secret"), ("Referer", "secret"), ("Sec-WebSocket", "secret"), ("Via", "secret"),
    ("X-Forwarded-Email", "secret"), ("Client-Cert", "secret"), ("If-None-Match", "secret"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "shown"),
    [("/chat?room=7", "/chat?room=7"), ("http://tom:secret@a.b/c%20d?e", "/c%20d?e"), ("/?", "/?")],
)
def test_of_a_stranger_the_fixed_headers_are_shown_and_no_other(target: str, shown: str) -> None:
    lines = [line for pair in itertools.zip_longest(SHOWN, WITHHELD) for line in pair if line]
    request = Request("GET", target, "1.1", Headers(lines), upgrade=True)
    request.remote_ip, request.remote_port, request.scheme = "1.2.3.4", 5, "https"
    seen = without_identity(request)
    assert seen.headers.items() == SHOWN
    assert seen.target == shown
    assert (seen.remote_ip, seen.remote_port, seen.scheme) == ("1.2.3.4", 5, "https")
    assert seen.cookies == {}
    assert "authorization" not in seen.headers
    assert "secret" not in repr((seen, seen.headers, getattr(seen, "_head", b""), seen.query_all))


def test_a_value_of_other_letters_is_shown_as_it_was() -> None:
    lines = [("Host", "a"), ("User-Agent", "caf\u00e9 \xff")]
    seen = without_identity(Request("GET", "/", "1.1", Headers(lines), upgrade=True))
    assert seen.headers["User-Agent"] == "caf\u00e9 \xff"
