"""Words that non-native readers have to guess are not used: each has a plain one in its place.

A page of the documents begins with what its reader gets, and ends with what to do next.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXTS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(path for end in ("py", "pxd", "h") for path in (ROOT / "src").rglob(f"*.{end}")),
]
PAGES = [
    path
    for shelf in ("tutorial", "howto", "reference")
    for path in sorted((ROOT / "docs" / shelf).glob("*.md"))
]
PAGES += [ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "gateway-balance.md"]
LAST = "## What to do next"
# The words, and what to write: the subject, or the term of the field.
INSTEAD = {
    r"whoever|whomever": "a client that, the process that, any user",
    r"for whom more|who talks alone": "a client with more …, the only busy connection",
    r"(?:say|says|said|saying) goodbye|goodbyes": "close with a close frame, send close_notify",
    r"(?:hang|hangs|hung|hanging) up": "close the connection",
    r"(?:blocks?|blocking) nowhere": "never blocks",
    r"(?:is|are) told of": "learns of, is notified of",
    r"the very": "exactly, this",
    r"what is not so": "what is wrong",
    r"the words make no sense|on whose word": "invalid arguments, who decides it",
    r"no (?:such|other) door": "no other way",
    r"without a word|at the mercy of": "silently, depends on",
    r"(?:so is|so does|and) who (?:is|has|does|can|wants)": "and so is a client that …",
}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_has_words_that_readers_must_guess(path: Path) -> None:
    text = " ".join(path.read_text(encoding="utf-8").split())
    found = {
        each.group(): instead
        for words, instead in INSTEAD.items()
        for each in re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE)
    }
    assert found == {}


def sections(page: Path) -> list[str]:
    """The parts of a page between its headings of the second level, without its code."""
    text = re.sub(r"^```.*?^```$", "```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.split(r"^(?=## )", text, flags=re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_begins_with_a_paragraph_that_says_what_the_reader_gets(page: Path) -> None:
    _, _, rest = sections(page)[0].partition("\n")
    opening = rest.strip().partition("\n\n")[0]
    is_prose = re.match(r"[A-Z`\[]", opening) is not None and not opening.startswith("```")
    assert is_prose, f"{page.name}: below the title, write a sentence: what does the reader get?"
    assert re.search(r"[.:](?:\s|$)", opening), f"{page.name}: the opening is no sentence"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_ends_with_what_to_do_next(page: Path) -> None:
    last = sections(page)[-1]
    assert last.startswith(LAST + "\n"), f"{page.name}: the last section must be {LAST!r}"
    assert re.search(r"^- \[.+?\]\(.+?\)", last, re.M), f"{page.name}: name pages to go on with"
