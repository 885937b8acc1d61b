"""The counts of processes that have ended, so that nothing is lost when a process is replaced.
Pure.

A child sends its counters every few seconds and once more before it ends. So if it is killed, only
its last seconds are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, TypeAlias

# Numbers by name; some names hold further numbers by name.
Counters: TypeAlias = Mapping[str, Any]

NAMES = (
    "accepted",
    "opened",
    "requests",
    "totals",
    "cpu_seconds",
    "send_failures",
    "exceptions",
    "dropped",
    "unknown_names",
    "closes",
    "failures",
    "refusals",
    "hits",
)

# The names that hold further numbers, and the largest number of those.
GROUPS = frozenset({"totals", "closes", "failures", "refusals", "hits"})
MAX_IN_GROUP = 500


def counters(told: Mapping[str, Any]) -> Counters:
    """The figures of a `ProcessReport` in JSON that only grow."""
    return {name: told[name] for name in NAMES}


def add(first: Counters, second: Counters) -> Counters:
    """The sum of two; a name that only one of them has counts as 0 in the other."""
    return _joined(first, second, lambda a, b: a + b)


def highest(first: Counters, second: Counters) -> Counters:
    """The higher of the two, number by number."""
    return _joined(first, second, max)


def _joined(first: Counters, second: Counters, join: Any) -> Counters:
    result = dict(first)
    for name, value in second.items():
        known = result.get(name)
        if isinstance(value, Mapping):
            result[name] = _joined(known if isinstance(known, Mapping) else {}, value, join)
        else:
            result[name] = value if known is None else join(known, value)
    return result


def _single(told: Counters) -> Counters:
    return {
        name: told[name]
        for name in NAMES
        if name in told and name not in GROUPS and not isinstance(told[name], Mapping)
    }


def _grouped(told: Counters) -> Counters:
    return {
        name: {key: each for key, each in told[name].items() if not isinstance(each, Mapping)}
        for name in GROUPS
        if isinstance(told.get(name), Mapping)
    }


def _bounded(told: Counters) -> Counters:
    """The same counters; if there are too many names, only the oldest stay."""
    return {
        name: dict(islice(value.items(), MAX_IN_GROUP)) if name in GROUPS else value
        for name, value in told.items()
    }


class EndedCounters:
    """The counters of all processes, ended ones included, by the name of the worker."""

    def __init__(self) -> None:
        self._living: dict[int, tuple[str, Counters]] = {}
        self._ended: dict[str, Counters] = {}

    def note(self, process: int, worker: str, told: Counters) -> None:
        """Takes the counters of a process; unknown names are ignored."""
        self._living[process] = (worker, {**_single(told), **_grouped(told)})

    def settle(self, process: int) -> None:
        """Adds the counters of a process that is gone to those of its worker."""
        worker, told = self._living.pop(process, ("", {}))
        if told:
            self._ended[worker] = _bounded(add(self._ended.get(worker, {}), told))

    def last(self, process: int) -> Counters | None:
        """The last counters that a process sent; None if it has sent none."""
        known = self._living.get(process)
        return None if known is None else known[1]

    def ended(self) -> dict[str, Counters]:
        """The counts of ended processes, by worker."""
        return dict(self._ended)
