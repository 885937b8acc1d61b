"""Where each file of the repository stands on the site, and how pages link to each other.

The pages in docs/ link to files of the repository, so that they can be read on a code host. On the
site some of these files are pages at another place, and each language is a site of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path, PurePosixPath

from lineman_site.languages import ENGLISH, TRANSLATED

# The documents beside docs/ that are pages of the site.
OF_ROOT = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "RELEASING.md": "releasing.md",
    "SECURITY.md": "security.md",
}
# A link's target and its anchor, or a block of code, which has none.
_LINK = re.compile(
    r"^(?P<fence>```+).*?^(?P=fence)[ ]*$|(?P<code>`[^`\n]+`)"
    r"|\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Address:
    """A place on the site: a language, and a path within the sources of that language."""

    language: str
    path: PurePosixPath


def _index(path: PurePosixPath) -> PurePosixPath:
    """README.md is what a code host shows for a directory; a site shows index."""
    return path.with_name("index.md") if path.name == "README.md" else path


def of_file(root: Path, path: PurePosixPath) -> Address:
    """Where a file of the repository stands.

    Args:
        root: the repository.
        path: relative to it.
    """
    if (root / path / "README.md").is_file():
        path /= "README.md"
    parts = path.parts
    if parts[0] == "docs":
        if len(parts) > 2 and parts[1] in TRANSLATED:
            return Address(parts[1], _index(PurePosixPath(*parts[2:])))
        return Address(ENGLISH.code, _index(PurePosixPath(*parts[1:])))
    if parts[0] == "examples" and len(parts) > 1:
        return Address(
            ENGLISH.code, PurePosixPath("examples", f"{PurePosixPath(parts[1]).stem}.md")
        )
    if str(path) in OF_ROOT:
        return Address(ENGLISH.code, PurePosixPath(OF_ROOT[str(path)]))
    return Address(ENGLISH.code, PurePosixPath("files", path))


def link(source: Address, target: Address, anchor: str = "") -> str:
    """The target of a link from one place to another.

    In one language it is a path, which Sphinx checks; to another one it is the finished page's,
    behind a scheme that conf.py takes away again.
    """
    if source.language == target.language:
        return relpath(target.path, source.path.parent) + anchor
    places = [
        PurePosixPath("" if each.language == ENGLISH.code else each.language, each.path)
        for each in (source, target)
    ]
    scheme = "sitepart:" if anchor else "site:"
    return scheme + relpath(places[1].with_suffix(".html"), places[0].parent) + anchor


def rewrite(root: Path, page: PurePosixPath, text: str, used: dict[Address, PurePosixPath]) -> str:
    """The text of a page whose links lead to places of the site.

    Args:
        root: the repository.
        page: the page's path relative to it.
        text: of the page.
        used: gets the files that are linked to and are no pages, and where they are to be copied.
            Each language has its own copy, because Sphinx chooses the place of a copy itself.
    """
    here = of_file(root, page)

    def replaced(found: re.Match[str]) -> str:
        target = found["target"]
        if target is None or re.match(r"[a-z]+:", target):
            return found[0]
        path = PurePosixPath(relpath(PurePosixPath(page.parent, target), "."))
        there = of_file(root, path)
        is_elsewhere = there.language != here.language and there.path.suffix != ".md"
        if there.path.parts[0] == "files" or is_elsewhere:
            there = Address(here.language, PurePosixPath("files", path))
            used[there] = path
        return f"]({link(here, there, found['anchor'] or '')})"

    return _LINK.sub(replaced, text)
