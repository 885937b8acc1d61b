"""Pictures: a line that is only a link to a `.dot` file becomes what Graphviz draws of that file.

The picture is part of the page, so that it takes the page's colours, also in the dark mode. The
comment at the beginning of the file is for readers who do not see it.
"""

from __future__ import annotations

import re
import subprocess
from html import escape
from os.path import relpath
from pathlib import Path, PurePosixPath

LINE = re.compile(r"^\[(?P<caption>[^\]]+)\]\((?P<path>[^)]+\.dot)\)$", re.MULTILINE)
# What Graphviz writes, and what takes the colours of the page.
_COLOURS = {
    'stroke="black"': 'stroke="currentColor"',
    'fill="black"': 'fill="currentColor"',
    'stroke="transparent"': 'stroke="none"',
    'fill="white"': 'fill="none"',
}


class PictureError(Exception):
    """A picture that cannot be drawn; says why."""


def described(text: str) -> str:
    """What a picture shows: the comment at the beginning of its file."""
    lines = re.match(r"(?://.*\n)+", text)
    return " ".join(lines[0].replace("//", " ").split()) if lines else ""


def figure(svg: str, caption: str, description: str) -> str:
    """A block of HTML with a picture; there is no empty line in it, which would end the block."""
    body = re.sub(r"\n\s*\n", "\n", svg)
    label = escape(f"{caption}. {description}" if description else caption, quote=True)
    body = body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return (
        f'<figure class="picture">\n{body}\n<figcaption>{escape(caption)}</figcaption>\n</figure>\n'
    )


def draw(path: Path, caption: str) -> str:
    """The picture of a file, as HTML.

    Raises:
        PictureError: Graphviz is not there or finds a mistake, or the file does not begin with a
            comment.
    """
    text = path.read_text(encoding="utf-8")
    description = described(text)
    if not description:
        raise PictureError(
            f"{path} says nothing to those who do not see; begin it with // and that"
        )
    try:
        drawn = subprocess.run(
            ["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise PictureError("dot is not installed; fix: apt-get install graphviz") from None
    if drawn.returncode or drawn.stderr:
        raise PictureError(f"{path}: {drawn.stderr.strip()}")
    svg = drawn.stdout[drawn.stdout.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<title>.*?</title>\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg width="(\d+)pt" height="\d+pt"', r'<svg style="max-width: \1pt"', svg)
    svg = re.sub(r'<polygon fill="white" stroke="transparent"[^>]*/>\n?', "", svg, count=1)
    for before, after in _COLOURS.items():
        svg = svg.replace(before, after)
    return figure(svg.strip(), caption, description)


def insert(root: Path, page: PurePosixPath, text: str) -> str:
    """A page with its pictures."""

    def replaced(found: re.Match[str]) -> str:
        path = root / relpath(page.parent / found["path"], ".")
        return draw(path, found["caption"])

    return LINE.sub(replaced, text)
