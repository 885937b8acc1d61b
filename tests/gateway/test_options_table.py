"""The table of a `Gateway`'s options in the reference is the code's: every option, its default."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from lineman import Gateway, Worker
from lineman.config.options import WorkerOptions
from lineman.gateway.holder.client_deadlines import GuardOptions
from lineman.gateway.push.push_endpoint import MIN_TOKEN

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "gateway.md"
PART = PAGE.read_text(encoding="utf-8").split("\n## `Gateway(", 1)[1].split("\n## ", 1)[0]
ROWS = {
    row[0].strip("`"): row
    for line in PART.splitlines()
    if len(row := [cell.strip() for cell in line.strip("|").split(" | ")]) == 3
    and row[0].startswith("`")
}
OWN = {
    name: parameter.default
    for name, parameter in inspect.signature(Gateway).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}
GUARD = {
    field.name: field.default
    for field in fields(GuardOptions)
    if field.name not in WorkerOptions.__annotations__
}


def written(default: object) -> str:
    """A default as the table has it."""
    if callable(default):
        return f"`{default.__name__}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


@pytest.mark.parametrize("name", OWN)
def test_every_option_has_its_row_and_default(name: str) -> None:
    assert ROWS[name][1] == written(OWN[name])


@pytest.mark.parametrize("name", GUARD)
def test_every_limit_of_its_own_has_its_row_and_default(name: str) -> None:
    assert ROWS[name][1] == written(GUARD[name])


def test_what_has_another_default_than_a_workers_is_in_the_table_and_nothing_else() -> None:
    before, names = Worker.all_workers[:], set(Gateway.all_names)
    try:
        gateway = Gateway("ws://127.0.0.1:0", name="table")
    finally:
        Worker.all_workers[:] = before
        Gateway.all_names.clear()
        Gateway.all_names.update(names)
    other = {
        name: getattr(gateway._holding, name)
        for name in WorkerOptions.__annotations__.keys() - {"count", "name"}
        if getattr(gateway._holding, name) != getattr(Worker, name)
    }
    assert {name: ROWS[name][1] for name in other} == {k: written(v) for k, v in other.items()}
    assert ROWS.keys() == OWN.keys() | GUARD.keys() | other.keys()


def test_the_least_length_of_a_token_is_told() -> None:
    assert re.search(rf"\b{MIN_TOKEN} ASCII characters at least", ROWS["push_token"][2])
