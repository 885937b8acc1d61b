"""What is said of an HTTP status alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import GOOD, E, answer, worst
from lineman.base.finding import Level
from lineman.doctor.checks import judge

CASES: list[tuple[str, dict[str, Any], Level, str]] = [
    ("407", {"reply": answer(407)}, E, "login-required"),
    ("414", {"reply": answer(414)}, E, "head-too-large"),
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)


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
