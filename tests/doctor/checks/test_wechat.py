"""What is said for a mini-program of WeChat."""

from __future__ import annotations

from dataclasses import replace

from doctor.checks.seen import GOOD, INFO, answer, asked
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    Outcome,
    TlsLook,
)


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
