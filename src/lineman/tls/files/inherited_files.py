"""Open files that this process has inherited from its master and could not open itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_descriptors: dict[str, int] = {}


def use(descriptors: Mapping[str, int]) -> None:
    """Makes `where` return these descriptors, by the path of each file."""
    _descriptors.update(descriptors)


def where(path: str | Path) -> str | Path:
    """The path to open for a file: that of an inherited descriptor, or else its own."""
    descriptor = _descriptors.get(str(path))
    return path if descriptor is None else f"/dev/fd/{descriptor}"
