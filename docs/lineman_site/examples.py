"""The pages of the examples: each file as it is, and what it prints.

docs/examples/README.md lists and names them; docs/examples/NAME.txt is a session in a terminal,
which a test runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LANGUAGES = {
    ".py": "python",
    ".html": "html",
    ".js": "javascript",
    ".json": "json",
    ".php": "php",
    ".yaml": "yaml",
}
_ITEM = re.compile(
    r"^- \[(?P<title>[^\]]+)\]\(\.\./\.\./examples/(?P<name>[\w.]+)/?\)", re.MULTILINE
)


def listed(root: Path) -> dict[str, str]:
    """The examples in the order of the list: file or directory, and what it is called."""
    text = (root / "docs" / "examples" / "README.md").read_text(encoding="utf-8")
    return {each["name"]: each["title"] for each in _ITEM.finditer(text)}


def session_of(root: Path, name: str) -> Path:
    """The file with the session that shows an example."""
    return root / "docs" / "examples" / f"{name.removesuffix('.py')}.txt"


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """Name and text of the page of each example."""
    for name, title in listed(root).items():
        yield f"{name.removesuffix('.py')}.md", _page(root, name, title)


def _page(root: Path, name: str, title: str) -> str:
    path = root / "examples" / name
    files = (
        [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]
    )
    text = f"# {title}\n"
    for each in files:
        if each.suffix != ".pyc":
            shown = each.relative_to(root / "examples")
            code = each.read_text(encoding="utf-8").rstrip()
            language = LANGUAGES.get(each.suffix, "text")
            text += f"\n`examples/{shown}`\n\n````{language}\n{code}\n````\n"
    session = session_of(root, name)
    if session.is_file():
        output = session.read_text(encoding="utf-8").rstrip()
        text += f"\n## In a terminal\n\n````console\n{output}\n````\n"
    return text
