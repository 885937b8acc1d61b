"""What is said of an open websocket."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import GOOD, E, W, worst
from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import (
    LineLook,
    Outcome,
    SizeLook,
)

CASES: list[tuple[str, dict[str, Any], Level, str]] = [
    ("it pings nobody", {"idle": LineLook()}, W, "no-server-ping"),
    (
        "it wants to be talked to",
        {"idle": LineLook(outcome=Outcome.CLOSED, code=4000, after=30.0)},
        E,
        "idle-closed",
    ),
    ("silence after a large one", {"size": SizeLook(9, False)}, E, "message-too-big"),
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
