"""Colours change the look of a picture, but not its text."""

from __future__ import annotations

import re

import pytest

from lineman.cli.shared.colour import BOLD, RED, REVERSE, YELLOW, is_wanted, paint

PICTURE = [
    "app.py: running; 1 of 2 processes accept clients",
    "",
    "WORKER  SLOT   PID  STATE",
    "chat       0  4711  ready",
    "chat       1  4712  busy     3 s",
    "TROUBLE: the broker is not reached",
    "q quits",
]


def test_the_words_stay_what_they_were() -> None:
    painted = paint(PICTURE)
    assert [re.sub(r"\x1b\[\d*m", "", line) for line in painted] == PICTURE


def test_what_matters_stands_out() -> None:
    head, _, _, ready, busy, trouble, keys = paint(PICTURE)
    assert head.startswith(BOLD)
    assert "\x1b" not in ready
    assert f"{YELLOW}busy" in busy
    assert trouble.startswith(RED)
    assert keys.startswith(REVERSE)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_who_wants_none_gets_none(environment: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environment) is wanted
