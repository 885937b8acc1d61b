"""The table of checks as a whole."""

from __future__ import annotations

from dataclasses import replace

from doctor.checks.seen import GOOD, answer
from lineman.base.finding import Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import Names


def test_good_facts_are_good() -> None:
    assert {found.level for found in judge(GOOD)} == {Level.OK}


def test_the_worst_is_said_first() -> None:
    facts = replace(GOOD, names=Names(ipv4=("10.0.0.7",)), reply=answer(502), line=None, idle=None)
    levels = [found.level for found in judge(facts)]
    assert levels == sorted(levels, reverse=True)
    assert {Level.ERROR, Level.WARNING, Level.OK} <= set(levels)
