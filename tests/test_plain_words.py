"""Words that non-native readers have to guess are not used: each has a plain one in its place."""

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
