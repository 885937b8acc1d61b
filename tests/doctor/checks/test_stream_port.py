"""What is said of a service without HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from lineman.base.address import Address, parse
from lineman.doctor.checks.stream_port import judge
from lineman.doctor.facts import Facts, Names, Outcome, Question, Reach, TlsLook
from lineman.doctor.stream_facts import StreamLook

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def seen(text: str, outcome: Outcome | None, reached: Outcome = Outcome.DONE) -> StreamLook:
    address: Address = parse(text)
    facts = Facts(Question(cast(Any, address)), NOW)
    if not address.path:
        reach = (Reach("127.0.0.1", reached),)
        facts = replace(facts, names=Names(ipv4=("127.0.0.1",)), reach=reach)
    return StreamLook(address, facts, outcome, after=0.5)


def names(look: StreamLook) -> list[str]:
    return [finding.name for finding in judge(look)]


@pytest.mark.parametrize(
    ("text", "outcome", "expected"),
    [
        ("tcp://127.0.0.1:7000", Outcome.TIMEOUT, ["stream-silent", "port", "stream-open"]),
        ("text+unix:///run/s", Outcome.TIMEOUT, ["stream-open"]),
        ("text://127.0.0.1:7000", Outcome.CLOSED, ["stream-closed", "port"]),
        ("text+unix:///run/s", Outcome.REFUSED, ["socket-dead"]),
        ("text+unix:///run/s", Outcome.UNREACHABLE, ["stream-unreachable"]),
        ("frame://127.0.0.1:7000", Outcome.DONE, ["port", "stream-greeting"]),
    ],
)
def test_each_end_of_a_silent_connection_has_its_finding(
    text: str, outcome: Outcome, expected: list[str]
) -> None:
    assert names(seen(text, outcome)) == expected


def test_where_nothing_listens_only_that_is_said() -> None:
    assert names(seen("tcp://127.0.0.1:7000", None, Outcome.REFUSED)) == ["port-closed"]


def test_tls_that_fails_is_the_cause() -> None:
    look = seen("tcp+tls://127.0.0.1:7000", None)
    look = replace(look, facts=replace(look.facts, tls=TlsLook(Outcome.NOT_TLS)))
    assert names(look) == ["not-tls", "port"]
