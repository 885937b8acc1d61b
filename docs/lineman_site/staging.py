"""Writes the sources of the site: the pages of docs/ as they are, and the pages that are made.

Sphinx reads build/site-source, a directory for each language. A file is written only if its content
is new, so that Sphinx reads again only what has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from os.path import relpath
from pathlib import Path, PurePosixPath

from lineman_site import addresses, chinese_lines, examples, pictures, plots, translations
from lineman_site.addresses import Address
from lineman_site.languages import CHINESE, ENGLISH, LANGUAGES, TRANSLATED, Language

_ITEM = re.compile(r"^- .*?\]\((?P<path>[^)#\s]+)(?:#[^)]*)?\)", re.MULTILINE)


NAMES_PAGE = PurePosixPath("docs/reference/names.md")
API = PurePosixPath("reference/api")


class Staging:
    """The sources of the site.

    Args:
        root: the repository.
        target: the directory that they are written to.
    """

    def __init__(self, root: Path, target: Path) -> None:
        self.root = root
        self.docs = root / "docs"
        self.target = target
        self._api: Mapping[str, str] = {}
        self._written: set[Path] = set()
        self._used: dict[Address, PurePosixPath] = {}

    def write_all(self, api: Mapping[str, str] | None = None) -> bool:
        """Writes what is new, and removes what no longer exists.

        Args:
            api: the pages of the public names, by their file names.

        Returns:
            Whether there are other files than before: Sphinx then has to read all pages again,
            since it keeps for each link whether there was a page.

        Raises:
            TranslationError: a translated page without an original.
            PictureError, PlotError: a picture or a plot cannot be drawn.
        """
        self._api = api or {}
        before = {path for path in self.target.rglob("*") if path.is_file()}
        for path in self._documents():
            self._write_page(path)
        for name, text in self._api.items():
            self._write(Address(ENGLISH.code, API / name), text.encode())
        for name, text in examples.pages(self.root):
            self._write(Address(ENGLISH.code, PurePosixPath("examples", name)), text.encode())
        for where, path in self._used.items():
            self._write(where, self._bytes(path))
        for gone in before - self._written:
            gone.unlink()
        return before != self._written

    def _documents(self) -> Iterator[PurePosixPath]:
        """The documents that are pages, relative to the repository."""
        yield from (PurePosixPath(name) for name in addresses.OF_ROOT)
        for path in sorted(self.docs.rglob("*")):
            within = path.relative_to(self.docs)
            if path.is_file() and within.parts[0] not in ("lineman_site", "pictures"):
                yield PurePosixPath("docs", within)

    def _bytes(self, path: PurePosixPath) -> bytes:
        return (self.root / path).read_bytes()

    def _write(self, where: Address, content: bytes) -> None:
        path = self.target / where.language / where.path
        self._written.add(path)
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _write_page(self, path: PurePosixPath) -> None:
        here = addresses.of_file(self.root, path)
        if path.suffix != ".md":
            self._write(here, self._bytes(path))
            return
        text = self._bytes(path).decode()
        head, body = [], text
        if here.language in TRANSLATED and here.path.name != "index.md":
            body = translations.without_front_matter(text)
            read = translations.read(self.docs, self.root / path)
            if read.is_behind:
                head.append(self._changed(here, LANGUAGES[here.language]))
        head += self._other_languages(here)
        if here.language == CHINESE.code:
            body = chinese_lines.join(body)
        body = pictures.insert(self.root, path, body)
        if str(path) == plots.PAGE:
            body = plots.insert(body)
        body = addresses.rewrite(self.root, path, body, self._used)
        if path == NAMES_PAGE:
            names = "|".join(name.removesuffix(".md") for name in self._api)
            body = re.sub(rf"^\| `({names})` \|", r"| [`\1`](api/\1.md) |", body, flags=re.M)
        heading, _, rest = body.partition("\n")
        page = "\n\n".join([heading, *head]) + "\n" + rest + self._shelves(path, here, text)
        self._write(here, page.encode())

    def _changed(self, here: Address, language: Language) -> str:
        original = addresses.link(here, Address(ENGLISH.code, here.path))
        return f":::{{warning}}\n{language.changed.format(original=original)}\n:::"

    def _other_languages(self, here: Address) -> list[str]:
        """The line with links to the same page in other languages, if there are any."""
        links = []
        for language in LANGUAGES.values():
            home = self.docs if language is ENGLISH else self.docs / language.code
            name = "README.md" if here.path.name == "index.md" else here.path.name
            if language.code != here.language and (home / here.path.with_name(name)).is_file():
                there = addresses.link(here, Address(language.code, here.path))
                links.append(f"[{language.name}]({there})")
        words = LANGUAGES[here.language].same_page
        return [f"{{.languages}}\n{words} {' · '.join(links)}"] if links else []

    def _shelves(self, path: PurePosixPath, here: Address, text: str) -> str:
        """The tables of contents that Sphinx wants: of each part of a README.md a shelf."""
        if path == NAMES_PAGE and self._api:
            return _toctree("", [f"api/{name.removesuffix('.md')}" for name in self._api])
        if path == PurePosixPath("docs/design/README.md"):
            return _toctree(
                "", [each.stem for each in sorted((self.docs / "design").glob("0*.md"))]
            )
        if path.name != "README.md" or path.parts[0] != "docs":
            return ""
        shelves = []
        for part in re.split(r"^## ", text, flags=re.MULTILINE):
            caption = "" if part.startswith("# ") else part.partition("\n")[0]
            names = list(dict.fromkeys(self._listed(path.parent, here, part)))
            shelves.append(_toctree(caption, names) if names else "")
        return "".join(shelves)

    def _listed(self, folder: PurePosixPath, here: Address, part: str) -> Iterator[str]:
        """The pages that the items of a part link to first, if they are in the same language."""
        for found in _ITEM.finditer(part):
            path = PurePosixPath(relpath(folder / found["path"], "."))
            there = addresses.of_file(self.root, path)
            if there.language == here.language:
                yield relpath(there.path.with_suffix(""), here.path.parent)


def _toctree(caption: str, names: list[str]) -> str:
    options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return f"\n```{{toctree}}\n{options}\n" + "\n".join(names) + "\n```\n"
