"""The type of a check, and one function for each level of a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from lineman.base.finding import Finding, Level
from lineman.doctor.facts import Facts

Check: TypeAlias = Callable[[Facts], Iterator[Finding]]


def ok(name: str, seen: str) -> Finding:
    """Something works as it should."""
    return Finding(Level.OK, name, seen)


def info(name: str, seen: str, fix: str = "") -> Finding:
    """Something that the reader should know."""
    return Finding(Level.INFO, name, seen, fix)


def warning(name: str, seen: str, fix: str) -> Finding:
    """Something keeps some clients out, or will later."""
    return Finding(Level.WARNING, name, seen, fix)


def error(name: str, seen: str, fix: str) -> Finding:
    """Something keeps clients out, or ends their connections."""
    return Finding(Level.ERROR, name, seen, fix)
