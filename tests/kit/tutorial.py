"""The steps of the tutorial's chat: the files that a reader has after each, and what is typed."""

from __future__ import annotations

import re
from pathlib import Path

PAGES = sorted((Path(__file__).parents[2] / "docs" / "tutorial").glob("chat-*.md"))
SECRET = "00112233445566778899aabbccddeeff" * 2

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"(?:# |<!-- )([\w./-]+\.\w+)(?: -->)?\n")


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page in one language."""
    return [text for kind, text in _BLOCK.findall(page.read_text("utf-8")) if kind == language]


def files(page: Path) -> dict[str, list[str]]:
    """The files that a page has its reader save, by name: blocks whose first line is the name."""
    found: dict[str, list[str]] = {}
    for _, text in _BLOCK.findall(page.read_text("utf-8")):
        name = _NAME.match(text)
        if name is not None:
            found.setdefault(name[1], []).append(text)
    return found


def write_step(directory: Path, step: int) -> None:
    """Writes what a reader has in the directory when a step is done, except for `secret.txt`."""
    for page in PAGES[:step]:
        for name, (text, *_) in files(page).items():
            if "/" not in name:
                (directory / name).write_text(text, "utf-8")


def session(page: Path) -> str:
    """All that a reader types in a terminal, with what is printed."""
    return "".join(blocks(page, "console"))
