"""Files that this process may not read, but has inherited from its master, open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_descriptors: dict[str, int] = {}


def use(descriptors: Mapping[str, int]) -> None:
    """Has `where` answer with these descriptors, by the path of each file."""
    _descriptors.update(descriptors)


def where(path: str | Path) -> str | Path:
    """What to open in place of a file; its own path where nothing else was inherited."""
    descriptor = _descriptors.get(str(path))
    return path if descriptor is None else f"/dev/fd/{descriptor}"
