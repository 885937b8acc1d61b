"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from lineman.doctor.facts import Facts


class Level(IntEnum):
    """How bad a finding is: the higher, the worse."""

    OK = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        level: ERROR: clients cannot connect, or not stay; WARNING: some cannot, or will not one
            day; INFO: good to know.
        name: by which docs/reference/doctor.md tells more.
        seen: what was seen, as a sentence without a full stop.
        fix: the command or the line that mends it; empty where nothing needs mending.
    """

    level: Level
    name: str
    seen: str
    fix: str = ""


Check: TypeAlias = Callable[[Facts], Iterator[Finding]]


def ok(name: str, seen: str) -> Finding:
    """What is as it should be."""
    return Finding(Level.OK, name, seen)


def info(name: str, seen: str, fix: str = "") -> Finding:
    """What is good to know."""
    return Finding(Level.INFO, name, seen, fix)


def warning(name: str, seen: str, fix: str) -> Finding:
    """What keeps some clients out, or will one day."""
    return Finding(Level.WARNING, name, seen, fix)


def error(name: str, seen: str, fix: str) -> Finding:
    """What keeps clients out, or throws them out."""
    return Finding(Level.ERROR, name, seen, fix)
