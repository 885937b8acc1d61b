"""Stands in for Cython's module `cython` where the sources run as plain Python without it.

The modules of the data path are compiled when the package is built with a C compiler, and run as
they are otherwise. What differs between the two asks `cython.compiled`; what follows it there is
C and is never reached here.
"""

from __future__ import annotations

from typing import Any

compiled = False
NULL: Any = None


def cast(kind: Any, value: Any) -> Any:
    """Takes one C type for another; compiled only."""
    raise NotImplementedError("compiled only")


def sizeof(kind: Any) -> Any:
    """Bytes of a C type; compiled only."""
    raise NotImplementedError("compiled only")


def address(value: Any) -> Any:
    """A pointer to a C value; compiled only."""
    raise NotImplementedError("compiled only")
