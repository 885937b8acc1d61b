"""Imports the package from its Python files, also where extension modules lie beside them.

An extension module has neither annotations nor the words behind an attribute, and the reference
must be the same whether the package is compiled or not.
"""

from __future__ import annotations

import sys
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "lineman"


def _finder(path: str) -> FileFinder:
    if not Path(path).is_relative_to(PACKAGE):
        raise ImportError(f"{path} is not of the package", path=path)
    return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))


def begin() -> None:
    """From now on. Must be called before anything of the package is imported."""
    sys.path_hooks.insert(0, _finder)
    sys.path_importer_cache.clear()
