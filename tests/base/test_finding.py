from __future__ import annotations

from lineman.base.finding import Finding, Level


def test_the_worst_of_several_is_the_greatest() -> None:
    levels = [Level.INFO, Level.ERROR, Level.OK, Level.WARNING]
    assert sorted(levels) == [Level.OK, Level.INFO, Level.WARNING, Level.ERROR]


def test_what_needs_no_mending_has_no_fix() -> None:
    assert Finding(Level.OK, "", "all is well").fix == ""
