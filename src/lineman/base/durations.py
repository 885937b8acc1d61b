"""Checks seconds that a program gives to a function, such as those of `connection.after`."""

from __future__ import annotations

from lineman.base.option_kinds import MAX_SECONDS
from lineman.errors import UsageError


def check_seconds(call: str, seconds: object, least: float = 0.0) -> float:
    """The seconds, if they are a number in the range.

    Args:
        call: the call as the program writes it, such as `worker.every(…)`.
        seconds: the value that the program gave.
        least: the smallest allowed value.

    Raises:
        UsageError: it is something else.
    """
    rule = f"from {least:g} to {MAX_SECONDS:,} (ten years)"
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        seen = seconds if isinstance(seconds, str) else f"of type {type(seconds).__name__}"
        shown = f"{seen[:80]!r}" if isinstance(seconds, str) else seen
        raise UsageError(f"{call}: the seconds are {shown}; give a number {rule}")
    if not least <= seconds <= MAX_SECONDS:
        raise UsageError(f"{call}: the seconds are {seconds!r:.80}; give a number {rule}")
    return float(seconds)


def check_function(call: str, function: object) -> None:
    """Refuses what cannot be called.

    Raises:
        UsageError: the function was called already, or it is no function.
    """
    if callable(function):
        return
    if hasattr(function, "__await__"):
        close = getattr(function, "close", None)
        if close is not None:
            close()  # otherwise Python warns that it was never awaited
        raise UsageError(f"{call} takes the function itself: write f, not f()")
    seen = "None, the result of a call" if function is None else f"a {type(function).__name__}"
    raise UsageError(f"{call} takes a function, and got {seen}: write f, not f()")


def name_of(function: object) -> str:
    """The name of a function, a method, a partial or another callable, for messages."""
    inner = getattr(function, "func", function)  # of a `functools.partial`
    found = getattr(inner, "__qualname__", None) or type(inner).__name__
    return str(found).rpartition("<locals>.")[2]
