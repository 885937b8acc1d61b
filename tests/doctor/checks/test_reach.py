"""What is said of the URL, the name and the port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import GOOD, INFO, E, W, asked, worst
from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    Names,
    Outcome,
    Reach,
)

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
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)


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
