"""The threat model names tests and documents that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "docs" / "design" / "0076-threat-model.md"
NAMED = re.compile(r"`((?:tests/(?:[\w/]+/)?)?test_\w+\.py)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def named_tests() -> list[str]:
    text = MODEL.read_text(encoding="utf-8")
    return sorted(set(NAMED.findall(text)))


def test_it_names_tests() -> None:
    assert len(named_tests()) > 20


@pytest.mark.parametrize("name", named_tests())
def test_each_test_that_it_names_is_there(name: str) -> None:
    found = [ROOT / name] if "/" in name else (ROOT / "tests" / "process").rglob(name)
    assert any(path.is_file() for path in found)


@pytest.mark.parametrize("document", [MODEL, ROOT / "SECURITY.md"], ids=lambda path: path.name)
def test_each_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (document.parent / link).exists()] == []
