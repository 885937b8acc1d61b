"""What is said where both sides of a proxy are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import DIRECT, GOOD, E, answer, worst
from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    HandshakeReply,
    Outcome,
    Seen,
    UpstreamFacts,
)

CASES: list[tuple[str, dict[str, Any], Level, str]] = [
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
    ("a stand-in alone", {"reply": answer(502), "seen": Seen()}, E, "proxy-wrong-upstream"),
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)


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
