"""What a check is, and what it says in few words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from lineman.base.finding import Finding, Level
from lineman.doctor.facts import Facts

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
