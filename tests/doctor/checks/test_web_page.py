"""What is said of the site's own pages and of the client's address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doctor.checks.seen import GOOD, E, W, answer, told, worst
from lineman.base.finding import Level
from lineman.doctor.facts import (
    PageLook,
)

CASES: list[tuple[str, dict[str, Any], Level, str]] = [
    (
        "a page with a cookie is refused",
        {"page": PageLook("https://chat.test", answer(403), is_open_without_cookie=True)},
        E,
        "host-hidden",
    ),
    (
        "a page is refused",
        {"page": PageLook("https://chat.test", answer(403))},
        W,
        "origin-refused",
    ),
    ("a page is a stranger", {"reply": told("page=stranger; address=other")}, W, "host-hidden"),
    ("nobody knows who", {"reply": told("page=own; address=unknown")}, W, "real-ip-missing"),
    (
        "a false address is believed",
        {"believed": ("X-Real-IP",)},
        W,
        "real-ip-spoofable",
    ),
]


@pytest.mark.parametrize(
    ("change", "level", "name"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], level: Level, name: str) -> None:
    assert worst(replace(GOOD, **change)) == (level, name)


@pytest.mark.parametrize(
    "words", ["", "page=own; address=other", "page", "page=<b>; address=\x1b", "page=foreign"]
)
def test_a_service_that_takes_the_page_for_its_own_or_says_nothing_is_well(words: str) -> None:
    assert worst(replace(GOOD, reply=told(words)))[0] is Level.OK
