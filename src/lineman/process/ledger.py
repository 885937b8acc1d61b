"""What processes have counted that are gone: a replaced process takes nothing away. Pure.

A child tells its counters every few seconds and once more before it ends, so that one which is
killed takes no more than the last seconds of its counting with it.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def counters(told: Mapping[str, Any]) -> Counters:
    """What only ever grows of a `Report` in JSON."""
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


class Ledger:
    """The counters of every process that there has been, by the name of its worker."""

    def __init__(self) -> None:
        self._living: dict[int, tuple[str, Counters]] = {}
        self._ended: dict[str, Counters] = {}

    def note(self, process: int, worker: str, told: Counters) -> None:
        """Takes what a process has counted so far."""
        self._living[process] = (worker, told)

    def settle(self, process: int) -> None:
        """Keeps what a process has counted that is gone."""
        worker, told = self._living.pop(process, ("", {}))
        if told:
            self._ended[worker] = add(self._ended.get(worker, {}), told)

    def last(self, process: int) -> Counters | None:
        """What a process told last; None for nothing yet."""
        known = self._living.get(process)
        return None if known is None else known[1]

    def ended(self) -> dict[str, Counters]:
        """What those that are gone had counted, by worker."""
        return dict(self._ended)
