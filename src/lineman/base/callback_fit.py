"""Makes a function fit the arguments of a callback, or says why it cannot."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from lineman.errors import UsageError

Callback = Callable[..., Any]


def fitted(name: str, function: Callback, given: tuple[str, ...]) -> Callback:
    """The function, made to take these arguments if it leaves out the last ones.

    Raises:
        UsageError: it is not callable, or requires more arguments than there are.
    """
    if not callable(function):
        raise UsageError(f"{name} takes a function, got {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function  # a builtin without a known signature
    positional = 0
    required = 0
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return function
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional += 1
            required += parameter.default is parameter.empty
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            raise UsageError(f"{name}: the keyword argument {parameter.name} is never given")
    if required > len(given):
        raise UsageError(
            f"{name} is called with ({', '.join(given)}), "
            f"but {_named(function)} asks for {required} arguments"
        )
    if positional >= len(given):
        return function
    return _shortened(function, positional)


def _named(function: Callback) -> str:
    return f"{getattr(function, '__qualname__', type(function).__name__)}()"


def _shortened(function: Callback, count: int) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args[:count])

    return call
