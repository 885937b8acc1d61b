"""What follows from the facts themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from doctor.checks.seen import GOOD, OPEN, answer, asked
from lineman.doctor.facts import HandshakeReply, Names, Outcome, Seen


@pytest.mark.parametrize(
    ("url", "other", "is_other"),
    [
        ("wss://chat.test/", answer(404), True),
        ("wss://chat.test/", answer(400, "Bad Request"), True),
        ("wss://chat.test/", answer(400, "sent to an HTTPS port"), False),
        ("ws://chat.test/", answer(400, "sent to an HTTPS port"), True),
        ("wss://chat.test/", HandshakeReply(Outcome.TIMEOUT), False),
        ("wss://chat.test/", None, False),
    ],
)
def test_a_port_speaks_the_other_scheme_if_it_answers_http_and_does_not_ask_for_tls(
    url: str, other: HandshakeReply | None, is_other: bool
) -> None:
    facts = replace(GOOD, question=asked(url), other_scheme=other)
    assert facts.speaks_other_scheme is is_other


def test_only_a_101_without_objection_opens_a_websocket() -> None:
    assert OPEN.is_open
    assert not replace(OPEN, objection="no Upgrade").is_open
    assert not answer(200).is_open


def test_what_did_not_come_has_no_status_and_empty_headers() -> None:
    nothing = HandshakeReply(Outcome.TIMEOUT)
    assert (nothing.status, nothing.header("server"), nothing.is_open) == (0, "", False)
    assert answer(502, server="nginx").header("Server") == "nginx"
    assert Seen(headers=(("host", "a.org"),)).header("host") == "a.org"
    assert Seen().header("host") == ""


def test_ipv4_comes_first() -> None:
    assert Names(ipv4=("8.8.8.8",), ipv6=("2001:4860::1",)).all == ("8.8.8.8", "2001:4860::1")


def test_the_place_is_the_host_and_the_port_that_the_scheme_implies() -> None:
    assert GOOD.place == "chat.test, port 443"
