"""The sources as plain Python, without Cython at hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineman.base import nocython

SOURCES = Path(nocython.__file__).parents[1]


def test_it_stands_in_for_all_that_the_sources_use_of_cython() -> None:
    used: set[str] = set()
    for path in SOURCES.rglob("*.py"):
        used |= set(re.findall(r"\bcython\.(\w+)", path.read_text(encoding="utf-8")))
    assert "compiled" in used
    assert {name for name in used if not hasattr(nocython, name)} == set()


def test_what_is_c_is_never_reached() -> None:
    assert not nocython.compiled
    for call in (
        lambda: nocython.cast("int", 1),
        lambda: nocython.sizeof("int"),
        lambda: nocython.address(1),
    ):
        with pytest.raises(NotImplementedError, match="compiled only"):
            call()
