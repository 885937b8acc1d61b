"""What is said of the answer to the handshake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import GOOD, INFO, OPEN, E, W, answer, worst
from lineman.base.finding import Level
from lineman.doctor.facts import (
    LineLook,
    Outcome,
)

CASES: list[tuple[str, dict[str, Any], Level, str]] = [
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
    ("505", {"reply": answer(505)}, E, "upgrade-headers-lost"),
    ("308", {"reply": answer(308, location="https://chat.test/wss/")}, E, "redirect"),
    (
        "a line that breaks with compression",
        {"with_extension": OPEN, "extension_line": LineLook(outcome=Outcome.BROKEN, reason="x")},
        E,
        "extension-trouble",
    ),
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)
