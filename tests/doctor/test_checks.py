"""What is said of facts: those that no server of the tests can show, and what comes before what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    Facts,
    HandshakeReply,
    LineLook,
    Names,
    Outcome,
    PageLook,
    Question,
    Reach,
    Seen,
    SizeLook,
    TlsLook,
    UpstreamFacts,
)
from lineman.protocols.http.http_messages import Headers
from lineman.protocols.websocket.client.server_answer import Answer
from lineman.protocols.websocket.client.url import parse

E, W, INFO = Level.ERROR, Level.WARNING, Level.INFO
DIRECT = parse("ws://127.0.0.1:8282/wss")


def answer(status: int, text: str = "", **headers: str) -> HandshakeReply:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HandshakeReply(Outcome.DONE, Answer(status, Headers(lines), text))


OPEN = answer(101, upgrade="websocket")


def told(words: str) -> HandshakeReply:
    """A service that says how it took the handshake."""
    return answer(101, upgrade="websocket", x_lineman_doctor=words)


GOOD = Facts(
    Question(parse("wss://chat.test/wss"), patience=60.0),
    datetime(2026, 11, 25, tzinfo=UTC),
    names=Names(ipv4=("8.8.8.8",), own=("127.0.0.1", "8.8.8.8")),
    reach=(Reach("8.8.8.8", Outcome.DONE),),
    tls=TlsLook(Outcome.DONE, version="TLSv1.3", versions=("TLSv1.2", "TLSv1.3")),
    reply=OPEN,
    line=LineLook(pong=0.01),
    idle=LineLook(pings=2),
)


def worst(facts: Facts) -> tuple[Level, str]:
    found = judge(facts)[0]
    assert found.fix or found.level in (Level.OK, Level.INFO), found
    return found.level, found.name


def test_localhosts_other_address_keeps_nobody_out() -> None:
    for host in ("localhost", "app.localhost"):
        facts = replace(
            GOOD,
            question=asked(f"ws://{host}:8282/"),
            names=Names(ipv4=("127.0.0.1",), ipv6=("::1",)),
            reach=(Reach("127.0.0.1", Outcome.DONE), Reach("::1", Outcome.REFUSED)),
        )
        found = {each.name: each.level for each in judge(facts)}
        assert found["dns-loopback-address"] is INFO
        assert Level.ERROR not in found.values()


def test_the_group_of_the_key_exchange_is_told_where_it_is_known() -> None:
    tls = replace(GOOD.tls, cipher="C", group="X25519MLKEM768")  # type: ignore[type-var]
    assert "TLSv1.3 with C, key exchange X25519MLKEM768" in [
        found.seen for found in judge(replace(GOOD, tls=tls))
    ]


def test_good_facts_are_good() -> None:
    assert {found.level for found in judge(GOOD)} == {Level.OK}


def asked(url: str = "wss://chat.test/wss", **options: Any) -> Question:
    return Question(parse(url), **options)


CASES: list[tuple[str, dict[str, Any], Level, str]] = [
    ("a private address", {"names": Names(ipv4=("10.0.0.7",))}, W, "dns-private-address"),
    (
        "a dead address of IPv6",
        {"reach": (*GOOD.reach, Reach("2001:4860::1", Outcome.TIMEOUT))},
        E,
        "dns-ipv6-dead",
    ),
    (
        "an address of IPv6, seen from a machine without",
        {"reach": (*GOOD.reach, Reach("2001:4860::1", Outcome.UNREACHABLE))},
        W,
        "dns-ipv6-dead",
    ),
    (
        "the other address of localhost",
        {
            "question": asked("ws://localhost:8282/"),
            "names": Names(ipv4=("127.0.0.1",), ipv6=("::1",)),
            "reach": (Reach("127.0.0.1", Outcome.DONE), Reach("::1", Outcome.REFUSED)),
            "tls": None,
        },
        INFO,
        "dns-several-addresses",
    ),
    ("no IPv4", {"names": Names(ipv6=("2001:4860::1",))}, W, "dns-ipv6-only"),
    ("two", {"names": Names(ipv4=("8.8.8.8", "8.8.4.4"))}, INFO, "dns-several-addresses"),
    ("an address in the URL", {"question": asked("wss://8.8.8.8/")}, W, "host-is-address"),
    (
        "no TLS and no HTTP",
        {"tls": TlsLook(Outcome.NOT_TLS), "reply": None, "line": None},
        E,
        "not-tls",
    ),
    (
        "TLS that is silent",
        {"tls": TlsLook(Outcome.TIMEOUT), "reply": None, "line": None},
        E,
        "tls-no-answer",
    ),
    (
        "an unknown name in TLS",
        {"tls": TlsLook(Outcome.ALERT, "TLSV1_UNRECOGNIZED_NAME"), "reply": None, "line": None},
        E,
        "tls-unknown-name",
    ),
    ("TLS 1.2 alone", {"tls": replace(GOOD.tls, versions=("TLSv1.2",))}, INFO, "tls13-missing"),  # type: ignore[type-var]
    ("a slow handshake", {"reply": replace(OPEN, seconds=9.0)}, W, "handshake-slow"),
    (
        "Cloudflare",
        {"reply": answer(101, upgrade="websocket", cf_ray="1")},
        INFO,
        "cdn-on-the-way",
    ),
    ("a teapot", {"reply": answer(418, "no")}, E, "handshake-refused"),
    ("a status of nobody's", {"reply": answer(576)}, E, "handshake-refused"),
    ("410", {"reply": answer(410)}, E, "wrong-path"),
    ("405", {"reply": answer(405)}, E, "not-a-websocket"),
    ("407", {"reply": answer(407)}, E, "login-required"),
    ("505", {"reply": answer(505)}, E, "upgrade-headers-lost"),
    ("414", {"reply": answer(414)}, E, "head-too-large"),
    ("308", {"reply": answer(308, location="https://chat.test/wss/")}, E, "redirect"),
    (
        "a line that breaks with compression",
        {"with_extension": OPEN, "extension_line": LineLook(outcome=Outcome.BROKEN, reason="x")},
        E,
        "extension-trouble",
    ),
    ("it pings nobody", {"idle": LineLook()}, W, "no-server-ping"),
    (
        "it wants to be talked to",
        {"idle": LineLook(outcome=Outcome.CLOSED, code=4000, after=30.0)},
        E,
        "idle-closed",
    ),
    ("silence after a large one", {"size": SizeLook(9, False)}, E, "message-too-big"),
    (
        "the service hangs",
        {"reply": answer(504), "upstream": UpstreamFacts(DIRECT, HandshakeReply(Outcome.TIMEOUT))},
        E,
        "upstream-hangs",
    ),
    (
        "the service refuses",
        {"reply": answer(403), "upstream": UpstreamFacts(DIRECT, answer(403, "no"))},
        E,
        "upstream-refuses",
    ),
    (
        "a page with a cookie is refused",
        {"page": PageLook("https://chat.test", answer(403), is_open_without_cookie=True)},
        E,
        "host-hidden",
    ),
    (
        "a page is refused",
        {"page": PageLook("https://chat.test", answer(403))},
        W,
        "origin-refused",
    ),
    ("a page is a stranger", {"reply": told("page=stranger; address=other")}, W, "host-hidden"),
    ("nobody knows who", {"reply": told("page=own; address=unknown")}, W, "real-ip-missing"),
    (
        "a false address is believed",
        {"believed": ("X-Real-IP",)},
        W,
        "real-ip-spoofable",
    ),
    ("a stand-in alone", {"reply": answer(502), "seen": Seen()}, E, "proxy-wrong-upstream"),
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)


@pytest.mark.parametrize(
    ("after", "who"),
    [(60.1, "nginx"), (50.0, "HAProxy"), (100.4, "Cloudflare"), (30.0, "Google"), (77.0, "")],
)
def test_who_cuts_after_so_many_seconds(after: float, who: str) -> None:
    cut = LineLook(outcome=Outcome.CLOSED, code=1006, after=after)
    found = judge(replace(GOOD, idle=cut))[0]
    assert found.name == "idle-cut"
    assert ("that is the limit of" in found.seen) == bool(who)
    assert who in found.seen


def test_a_service_that_does_not_run_is_said_once_and_with_its_port() -> None:
    down = UpstreamFacts(DIRECT, HandshakeReply(Outcome.REFUSED))
    found = judge(replace(GOOD, upstream=down, reply=answer(502), line=None, idle=None))
    wrong = [each for each in found if each.level is E]
    assert [each.name for each in wrong] == ["upstream-down"]
    assert "port 8282" in wrong[0].seen
    alone = judge(replace(GOOD, reply=answer(502), line=None, idle=None))[0]
    assert "--upstream ws://127.0.0.1:8282" in alone.fix
    hung = judge(
        replace(
            GOOD, upstream=UpstreamFacts(DIRECT, HandshakeReply(Outcome.TIMEOUT)), reply=answer(504)
        )
    )
    assert not any("--upstream" in each.fix for each in hung)


def test_an_answer_is_quoted_in_whole_words() -> None:
    text = (
        "this is for websockets; a proxy in front of it must pass the upgrade on (" + "nginx " * 99
    )
    found = judge(replace(GOOD, reply=answer(426, text), line=None, idle=None))[0]
    quoted = found.seen.partition("(")[2]
    assert "nginx …)" in quoted
    assert len(found.seen) < 400
    found = judge(replace(GOOD, reply=answer(426, "字" * 500), line=None, idle=None))[0]
    assert f"({'字' * 200} …)" in found.seen


def test_two_upstreams_with_tls_are_one_too_many_only_where_the_line_fails() -> None:
    speaks = UpstreamFacts(DIRECT, answer(400), speaks_tls=True)
    assert worst(replace(GOOD, upstream=speaks)) == (Level.INFO, "upstream-speaks-tls")
    broken = replace(GOOD, upstream=speaks, reply=answer(400, "use wss://"), line=None)
    assert worst(broken) == (Level.ERROR, "upstream-speaks-tls")


def test_the_service_behind_a_proxy_header_is_well_where_the_proxy_sends_it() -> None:
    needs = UpstreamFacts(DIRECT, HandshakeReply(Outcome.CLOSED), takes_proxy_header=True)
    assert worst(replace(GOOD, upstream=needs))[0] is Level.OK
    found = replace(GOOD, upstream=needs, reply=answer(502), line=None)
    assert worst(found) == (Level.ERROR, "proxy-protocol-missing")


@pytest.mark.parametrize(
    "words", ["", "page=own; address=other", "page", "page=<b>; address=\x1b", "page=foreign"]
)
def test_a_service_that_takes_the_page_for_its_own_or_says_nothing_is_well(words: str) -> None:
    assert worst(replace(GOOD, reply=told(words)))[0] is Level.OK


def test_a_mini_program_without_an_origin_is_told_of_a_server_that_wants_one() -> None:
    question = asked(profile="wechat")
    origins = (("https://chat.test", 101),)
    refused = replace(
        GOOD, question=question, reply=answer(403), line=None, idle=None, other_origins=origins
    )
    assert "wechat-origin" in [found.name for found in judge(refused)]


def test_a_mini_programs_url_with_a_port_is_worth_a_word() -> None:
    for url, is_told in (("wss://chat.test:8443/wss", True), ("wss://chat.test:443/wss", False)):
        facts = replace(GOOD, question=asked(url, profile="wechat"))
        found = [each for each in judge(facts) if each.name == "wechat-port"]
        assert [each.level for each in found] == [INFO] * is_told


def test_a_mini_program_wants_its_subprotocol_and_tls_1_2() -> None:
    question = asked(profile="wechat", subprotocols=("v1",))
    tls = TlsLook(Outcome.DONE, versions=("TLSv1.3",))
    names = [found.name for found in judge(replace(GOOD, question=question, tls=tls))]
    assert "wechat-subprotocol" in names
    assert "wechat-tls12" in names


def test_a_port_that_speaks_tls_and_says_so_is_no_plain_port() -> None:
    told = answer(400, "The plain HTTP request was sent to HTTPS port")
    facts = replace(GOOD, tls=TlsLook(Outcome.ALERT), reply=None, line=None, other_scheme=told)
    assert worst(facts) == (Level.ERROR, "tls-no-answer")
    assert worst(replace(facts, other_scheme=answer(404)))[1] == "wss-to-ws-port"


@pytest.mark.parametrize(
    ("status", "name", "words"),
    [
        (408, "handshake-too-slow", "timeouts"),
        (421, "wrong-host", "server_name"),
        (440, "login-required", "Authorization"),
        (451, "blocked", "ICP"),
        (460, "handshake-too-slow", "timeouts"),
        (463, "forwarded-too-long", "X-Forwarded-For"),
        (464, "upgrade-headers-lost", "HTTP1"),
        (494, "head-too-large", "large_client_header_buffers"),
        (495, "tls-client-certificate", "ssl_verify_client"),
        (496, "tls-client-certificate", "ssl_verify_client"),
        (497, "plain-on-tls-port", "wss://"),
        (499, "handshake-too-slow", "on_websocket_connect"),
        (501, "upgrade-headers-lost", "Upgrade"),
        (511, "network-login", "log in"),
        (520, "origin-answer-broken", "--upstream"),
        (521, "origin-down", "ss -ltnp"),
        (522, "origin-unreachable", "firewall"),
        (523, "origin-unreachable", "A and AAAA"),
        (524, "upstream-timeout", "blocks"),
        (525, "origin-tls-fails", "certificate"),
        (526, "origin-certificate", "lineman cert check"),
        (529, "rate-limited", "limit"),
        (530, "cdn-error", "1033"),
        (561, "login-required", "authentication"),
        (576, "handshake-refused", "--upstream"),
        (599, "upstream-timeout", "--upstream"),
    ],
)
def test_a_status_of_what_is_in_front_sends_nobody_to_a_log_that_knows_nothing(
    status: int, name: str, words: str
) -> None:
    facts = replace(GOOD, reply=answer(status), line=None)
    (found,) = [each for each in judge(facts) if each.level is E]
    assert found.name == name
    assert words in found.fix
    assert "look at the service's log" not in str(found)
