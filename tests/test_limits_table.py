"""The table of limits in the reference is the code's: every option, its default, its counter."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lineman.config.options import WorkerOptions
from lineman.gateway.holder.client_deadlines import GuardOptions
from lineman.net.connection.limits import HITS, KIB, MIB, Limits
from lineman.worker import Worker

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "limits.md"
ROWS = {
    row[0].split("`")[1]: row
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if len(row := [cell.strip() for cell in line.strip("|").split("|")]) == 5
    and row[0].startswith(("`", "none: `"))
}
LIMITS = {field.name: field.default for field in fields(Limits)}


def written(default: object) -> str:
    """A default as the table has it."""
    if default is None:
        return "`None`"
    if isinstance(default, float):
        return f"{default:.1f} s" if default else "off"
    assert isinstance(default, int)
    for unit, size in (("MiB", MIB), ("KiB", KIB)):
        if default >= size and default % size == 0 and default != 4096:
            return f"{default // size} {unit}"
    return str(default) if default else "off"


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_has_its_row_and_default(name: str) -> None:
    assert ROWS[name][1] == written(LIMITS[name])


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_an_option_of_a_worker_with_that_default(name: str) -> None:
    assert name in WorkerOptions.__annotations__
    assert getattr(Worker, name) == LIMITS[name]


def test_every_counter_stands_beside_the_limit_that_it_counts() -> None:
    counters = [found[1] for row in ROWS.values() if (found := re.fullmatch(r"`(\w+)`", row[4]))]
    own = [name for name in counters if not name.endswith("_total")]
    assert sorted(own) == sorted(HITS)
    for name, row in ROWS.items():
        if row[4].strip("`") in HITS:
            assert row[4] == f"`{'descriptors' if name == 'ulimit -n' else name}`"


def test_nothing_else_is_in_the_table() -> None:
    guard = {field.name for field in fields(GuardOptions)}
    assert ROWS.keys() <= LIMITS.keys() | guard | {"ulimit -n"}


def test_nothing_that_counts_by_address_is_on_by_default() -> None:
    assert not Limits().counts_addresses
    assert [name for name, default in LIMITS.items() if name.endswith("_per_ip") and default] == []
