"""What is said of TLS and of what it serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import GOOD, INFO, E, answer, worst
from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    Outcome,
    TlsLook,
)

CASES: list[tuple[str, dict[str, Any], Level, str]] = [
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
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)


def test_the_group_of_the_key_exchange_is_told_where_it_is_known() -> None:
    tls = replace(GOOD.tls, cipher="C", group="X25519MLKEM768")  # type: ignore[type-var]
    assert "TLSv1.3 with C, key exchange X25519MLKEM768" in [
        found.seen for found in judge(replace(GOOD, tls=tls))
    ]


def test_a_port_that_speaks_tls_and_says_so_is_no_plain_port() -> None:
    told = answer(400, "The plain HTTP request was sent to HTTPS port")
    facts = replace(GOOD, tls=TlsLook(Outcome.ALERT), reply=None, line=None, other_scheme=told)
    assert worst(facts) == (Level.ERROR, "tls-no-answer")
    assert worst(replace(facts, other_scheme=answer(404)))[1] == "wss-to-ws-port"
