"""The messages that a child sends to its master unasked, read without trust. Pure.

The program's code runs in a child, and an attacker may have taken it over. Each kind of message has
its fields and bounds, and a child can affect only itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from lineman.process.messages.lines import MAX_EVENT, WireError, clean, decode

# Messages a second beyond which a child is ignored. A normal child, which sends beats, counters and
# answers to `lineman top`, sends fewer than ten.
MAX_RATE = 500
MAX_WORDS = 1000
# Limits of counters: names on one level, characters of a name, and levels.
MAX_NAMES = 500
MAX_NAME = 200
MAX_DEPTH = 2

Details: TypeAlias = Mapping[str, Any]


def read(line: bytes) -> tuple[str, Details]:
    """The name of an event and its details, in the right types; ("", {}) for an unknown one.

    Raises:
        WireError: the line is no message, or one that no child sends.
    """
    if len(line) > MAX_EVENT:
        raise WireError(f"an event of {len(line)} bytes, more than {MAX_EVENT}")
    message = decode(line)
    name = message.pop("event", "")
    reader = _READERS.get(name) if isinstance(name, str) else None
    return ("", {}) if reader is None else (name, reader(message))


def _nothing(message: Mapping[str, Any]) -> Details:
    return {}


def _lag(message: Mapping[str, Any]) -> Details:
    return {"lag": number(message.get("lag", 0.0))}


def _why(message: Mapping[str, Any]) -> Details:
    return {"why": clean(str(message.get("why", "")), MAX_WORDS)}


def _path(message: Mapping[str, Any]) -> Details:
    return {"path": clean(str(message.get("path", "")), MAX_WORDS)}


def _stop(message: Mapping[str, Any]) -> Details:
    return {**_why(message), "is_graceful": message.get("is_graceful") is True}


def number(value: object) -> float | int:
    """A number that counts or measures.

    Raises:
        WireError: it is no number, below 0, or too large for JSON.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < 2**63 or not math.isfinite(value):  # type: ignore[operator, arg-type]
        raise WireError(f"{str(value)[:80]!r} in place of a number of 0 or more")
    return value  # type: ignore[return-value]


def numbers(told: object, depth: int = MAX_DEPTH) -> Details:
    """Numbers by name, some names holding further numbers by name.

    Raises:
        WireError: it is something else, has too many names, or is nested too deeply.
    """
    if not isinstance(told, Mapping) or len(told) > MAX_NAMES or depth == 0:
        raise WireError("invalid counters, or too many")
    found: dict[str, Any] = {}
    for name, value in told.items():
        if len(name) > MAX_NAME:
            raise WireError(f"a counter whose name has {len(name)} characters")
        nested = isinstance(value, Mapping)
        found[name] = numbers(value, depth - 1) if nested else number(value)
    return found


_READERS: dict[str, Callable[[Mapping[str, Any]], Details]] = {
    "beat": _lag,
    "ready": _nothing,
    "failed": _why,
    "counted": numbers,
    "doing": _why,
    "inquire": _nothing,
    "renew": _why,
    "grown": _why,
    "deaf": _nothing,
    "changed": _path,
    "split": _nothing,
    "stop-all": _stop,
}


class Rate:
    """Counts the messages that one child sends in a second."""

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def is_too_high(self, now: float) -> bool:
        """Counts one more message; returns whether there are too many."""
        if now - self._since >= 1.0:
            self._since, self._count = now, 0
        self._count += 1
        return self._count > MAX_RATE
