"""Links of the documents lead to files and headings that exist, and each page is on its shelf."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineman_site.languages import TRANSLATED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
CODE = re.compile(r"^(```+).*?^\1[ ]*$|``[^`]+``|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)#([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as code hosts make them."""
    text = re.sub(r"^(```+).*?^\1[ ]*$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        anchor = name
        while anchor in found:
            anchor, number = f"{name}-{number}", number + 1
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    text = CODE.sub("`code`", page.read_text(encoding="utf-8"))
    missing = [
        f"{path}#{anchor}"
        for path, anchor in LINK.findall(text)
        if (page.parent / path if path else page).suffix == ".md"
        and anchor not in anchors(page.parent / path if path else page)
    ]
    assert missing == []


def listed(readme: Path) -> list[Path]:
    """The pages that a list links to first in each item."""
    text = readme.read_text(encoding="utf-8")
    items = re.findall(r"^- .*?\]\(([^)#\s]+)", text, re.MULTILINE)
    return [(readme.parent / item).resolve() for item in items]


@pytest.mark.parametrize("home", [DOCS, *(DOCS / code for code in TRANSLATED)])
def test_every_page_is_listed_once_in_the_list_of_its_language(home: Path) -> None:
    shelves = ("tutorial", "howto", "reference")
    pages = [*(path for shelf in shelves for path in sorted((home / shelf).glob("*.md")))]
    pages += [path for path in home.glob("*.md") if path.name != "README.md"]
    found = listed(home / "README.md")
    assert [path for path in pages if found.count(path) != 1] == []


def test_every_example_is_listed_once() -> None:
    examples = [path for path in sorted((ROOT / "examples").iterdir()) if path.name[0] not in "._"]
    found = listed(DOCS / "examples" / "README.md")
    assert [path for path in examples if found.count(path) != 1] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translated_page_leads_to_the_translation_of_another_where_there_is_one(
    code: str,
) -> None:
    wrong = []
    for page in sorted((DOCS / code).glob("*/*.md")):
        text = CODE.sub("`code`", page.read_text(encoding="utf-8"))
        for link in re.findall(r"\]\((?!\w+:)([^)\s#]+\.md)", text):
            target = (page.parent / link).resolve()
            if (DOCS / code) in target.parents or DOCS not in target.parents:
                continue
            if (DOCS / code / target.relative_to(DOCS)).exists():
                wrong.append(f"{page.name}: {link}")
    assert wrong == []
