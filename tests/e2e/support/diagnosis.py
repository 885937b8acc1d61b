"""Asks the doctor about a fault in the clinic, and reads its findings."""

from __future__ import annotations

from typing import Any

from e2e.support.clinic import Clinic
from lineman.base.finding import Finding, Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import Facts, Question
from lineman.doctor.looks.outside import Tools, look
from lineman.protocols.websocket.client.url import parse
from lineman.tls.advice.certificate_facts import read_roots

QUESTION = ("origin", "subprotocols", "profile", "patience")


def facts_of(ward: Clinic, url: str, **options: Any) -> Facts:
    """The doctor's facts; its resolver leads to this machine unless `given` names addresses."""
    question = {name: options.pop(name) for name in QUESTION if name in options}
    # Longer than any of them needs on a busy machine; what must time out says so itself.
    tools = {"timeout": 10.0, "given": ("127.0.0.1",), **options}
    tools.setdefault("roots", tuple(read_roots(ward.ca.ca_path)))
    return look(Question(parse(url), **question), Tools(**tools))


def diagnose(ward: Clinic, url: str, **options: Any) -> list[Finding]:
    return judge(facts_of(ward, url, **options))


def first(findings: list[Finding]) -> Finding:
    assert findings[0].level is Level.ERROR, findings
    return findings[0]


def names(findings: list[Finding], level: Level) -> list[str]:
    return [finding.name for finding in findings if finding.level is level]
