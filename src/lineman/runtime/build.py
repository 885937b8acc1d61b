"""How this copy of the package was built: with its data path compiled to C, or as plain Python."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES


def is_compiled() -> bool:
    """Whether the codec that serves every message is an extension module in this process."""
    from lineman.protocols.websocket import decoder  # a master does without it

    return is_extension(getattr(decoder, "__file__", None))


def is_extension(path: str | None) -> bool:
    """Whether a module that was loaded from this file is compiled.

    Args:
        path: the module's `__file__`; None for a module that has none.
    """
    return path is not None and path.endswith(tuple(EXTENSION_SUFFIXES))


def describe() -> str:
    """How this copy was built, in the words that `lineman --version` uses."""
    return "compiled" if is_compiled() else "pure Python"
