"""Which translated pages have an English original that has changed since.

A translation lies below its language's directory as its original lies below docs/, and begins with

    ---
    original: 3f2a9c04d1be
    ---

which is the beginning of the git blob id of the original that it was made from. So the build needs
no history to compare, and `git diff 3f2a9c04d1be HEAD:docs/…` shows a translator what is new.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from lineman_site.languages import TRANSLATED

LENGTH = 12
_FRONT_MATTER = re.compile(r"\A---\n(?:.*\n)*?original: *(\w+) *\n(?:.*\n)*?---\n")


class TranslationError(Exception):
    """A translated page that cannot be compared with its original; says what to write."""


@dataclass(frozen=True)
class Translation:
    """A translated page.

    Attributes:
        page: its file.
        original: the file of its English original.
        made_from: the beginning of the blob id of the original that it was made from.
        present: the same of the original as it is now.
    """

    page: Path
    original: Path
    made_from: str
    present: str

    @property
    def is_behind(self) -> bool:
        """Whether the original has changed since."""
        return self.made_from != self.present


def blob_id(content: bytes) -> str:
    """The beginning of the id that git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()[:LENGTH]


def without_front_matter(text: str) -> str:
    """The page that readers see."""
    return _FRONT_MATTER.sub("", text, count=1)


def read(docs: Path, page: Path) -> Translation:
    """Compares a translated page with its original.

    Args:
        docs: the directory docs/.
        page: a page below docs/vi or docs/zh.

    Raises:
        TranslationError: the page has no original, or does not say which one it was made from.
    """
    within = page.relative_to(docs)
    original = docs / Path(*within.parts[1:])
    if not original.is_file():
        raise TranslationError(
            f"docs/{within} translates docs/{original.relative_to(docs)}, which does not exist; "
            "give the translation the path of its original, or delete it"
        )
    present = blob_id(original.read_bytes())
    found = _FRONT_MATTER.match(page.read_text(encoding="utf-8"))
    if found is None or not re.fullmatch(rf"[0-9a-f]{{{LENGTH}}}", found[1]):
        raise TranslationError(
            f"docs/{within} does not say which text it was made from; if that is the present one, "
            f"begin the page with three lines: ---, original: {present}, ---"
        )
    return Translation(page, original, found[1], present)


def pages(docs: Path, language: str) -> list[Translation]:
    """All translations into one language; its README.md, which lists them, has no original."""
    home = docs / language
    return [read(docs, page) for page in sorted(home.rglob("*.md")) if page != home / "README.md"]


def report(docs: Path) -> list[str]:
    """A line for each page whose original has changed, with the command that shows the change."""
    return [
        f"docs/{each.page.relative_to(docs)}: its original has changed since: git diff "
        f"{each.made_from} HEAD:docs/{each.original.relative_to(docs)}; "
        f"then write original: {each.present}"
        for language in TRANSLATED
        for each in pages(docs, language)
        if each.is_behind
    ]
