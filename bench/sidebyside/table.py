"""Tables in Markdown, pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

MISSING = "–"


def number(value: float | None) -> str:
    """Three significant digits: `0.98`, `17.8`, `240`; a dash for None."""
    if value is None:
        return MISSING
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def bold_least(values: Sequence[float | None]) -> list[str]:
    """The numbers of a line as text, the least of them in bold."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return [number(value) for value in values]
    least = min(known)
    return [f"**{number(value)}**" if value == least else number(value) for value in values]


def width(text: str) -> int:
    """How many columns of a terminal the text takes: Chinese characters take two."""
    return sum(
        0 if unicodedata.combining(character) else
        2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )  # fmt: skip


def render(head: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table whose source is readable as well.

    Args:
        head: the names of the columns.
        lines: the cells; missing cells at the end of a line are empty.
        left: how many columns, from the first, are text; the others are numbers and stand right.

    Returns:
        Markdown with a line break at its end.

    Raises:
        ValueError: a line has more cells than there are columns.
    """
    if any(len(line) > len(head) for line in lines):
        raise ValueError("a line of the table has more cells than its head")
    rows = [
        [_escaped(cell) for cell in row] + [""] * (len(head) - len(row)) for row in (head, *lines)
    ]
    widths = [max(3, *(width(cell) for cell in column)) for column in zip(*rows, strict=True)]
    rule = [
        "-" * size if place < left else "-" * (size - 1) + ":" for place, size in enumerate(widths)
    ]
    texts = [
        [_padded(cell, widths[place], place < left) for place, cell in enumerate(row)]
        for row in rows
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in (texts[0], rule, *texts[1:]))


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def _padded(cell: str, size: int, is_left: bool) -> str:
    blanks = " " * (size - width(cell))
    return cell + blanks if is_left else blanks + cell
