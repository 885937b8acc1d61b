"""The reference of Workerman's names: each row is answered, and each name of ours exists."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Collection
from pathlib import Path

import pytest

import lineman
from lineman.base import address, vocabulary
from lineman.cli import main
from lineman.config.declared import public_names
from lineman.config.options import OPTIONS
from lineman.gateway.gateway_options import OPTIONS as GATEWAY_OPTIONS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "workerman.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| Workerman |")
]
# How many rows the tables have: a name that somebody deletes by mistake is missed.
COUNT = 272


def members(cls: type) -> set[str]:
    found = {name for name in dir(cls) if not name.startswith("_")}
    if dataclasses.is_dataclass(cls):
        found |= {each.name for each in dataclasses.fields(cls)}
    return found


def options_of_commands() -> dict[str, set[str]]:
    """The options of each subcommand of `lineman`."""
    (commands,) = (
        action
        for action in main.parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return {
        word: {option for action in made._actions for option in action.option_strings}
        for word, made in commands.choices.items()
    }


NAMES: dict[str, Collection[str]] = {
    "worker": public_names(lineman.Worker),
    "Worker": public_names(lineman.Worker),
    "gateway": public_names(lineman.Gateway),
    "connection": vocabulary.MEMBERS,
    "client": vocabulary.CLIENT_MEMBERS,
    "request": vocabulary.REQUEST_MEMBERS,
    "response": members(lineman.Response),
    "peer": members(lineman.DatagramPeer),
    "ErrorCode": members(lineman.ErrorCode),
}
ARGUMENTS: dict[str, Collection[str]] = {
    "Worker": {"address", "context", *OPTIONS},
    "Gateway": {"address", "context", *GATEWAY_OPTIONS},
    "Response": set(inspect.signature(lineman.Response).parameters),
}
COMMANDS = options_of_commands()


def exists(code: str) -> bool:
    """Whether a name of ours, as the page writes it, exists."""
    if found := re.fullmatch(r"(\w+)\((\w+)=\)", code):
        return found[2] in ARGUMENTS.get(found[1], ())
    if found := re.fullmatch(r"lineman ([\w ]+?)((?: -\S+)*)", code):
        return found[1] in COMMANDS and set(found[2].split()) <= COMMANDS[found[1]]
    if found := re.fullmatch(r"([a-z+]+)://", code):
        return any(found[1] in each for each in (address._SCHEMES, address._UNIX_SCHEMES))
    owner, dot, name = code.partition(".")
    if owner in NAMES and dot:
        return name in NAMES[owner]
    return owner in lineman.__all__ and (not dot or hasattr(getattr(lineman, owner), name))


def test_every_name_has_a_row() -> None:
    theirs = [row[0] for row in ROWS]
    assert len(theirs) == len(set(theirs))
    assert len(theirs) == COUNT


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_the_row_calls_ours_is_there(row: list[str]) -> None:
    _, ours, *note = row
    if ours == "none":
        assert note[0], "a name without a counterpart has a reason"
        return
    named = re.findall(r"`([^`]+)`", ours)
    assert named
    assert re.sub(r"`[^`]+`|, | and ", "", ours) == ""
    assert [code for code in named if not exists(code)] == []


@pytest.mark.parametrize("code", ["worker.cuont", "Worker(cuont=)", "lineman strat", "Nothing"])
def test_a_name_that_does_not_exist_would_be_found(code: str) -> None:
    assert not exists(code)


@pytest.mark.parametrize("code", ["worker.count", "Worker(count=)", "lineman start -d", "wss://"])
def test_a_name_that_exists_is_found(code: str) -> None:
    assert exists(code)


def test_every_name_that_an_error_explains_has_a_row() -> None:
    shown = {word for row in ROWS for word in re.findall(r"\w+", row[0])}
    tables = (vocabulary.WORKER, vocabulary.CONNECTION, vocabulary.GATEWAY, vocabulary.REQUEST)
    assert not {name for table in tables for name in table} - shown - OF_THE_MANUAL


# Not names of Workerman itself: what its manual's examples keep on a connection, spellings of the
# same thing, and names of which the guide tells.
OF_THE_MANUAL = {"realIP", "lastMessageTime", "uid"}
