"""A table as text that fits a terminal, whatever is in its cells. Pure.

Names and paths come from clients: a character that would move the cursor, reverse the direction of
the text or be invisible is shown as an escape. A wide character counts for two cells.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GAP = "  "
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its heading.
        is_number: set to the right.
        shrinks_to: cells that a text may be cut to where there is little room; 0 for never.
        rank: the column with the highest rank is left out first if that does not suffice; 0 stays.
    """

    title: str
    is_number: bool = False
    shrinks_to: int = 0
    rank: int = 0


def printable(text: str) -> str:
    """A text in which every character that a terminal would obey is an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    if kind[0] != "C" and kind not in ("Zl", "Zp"):
        return character
    return character.encode("unicode_escape").decode()


def width_of(text: str) -> int:
    """The cells of a terminal that a printable text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """A text in at most `width` cells; `…` stands for the part that is left out."""
    if width_of(text) <= width:
        return text
    room = width - 1
    kept = []
    for character in text:
        room -= _cells(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS if width > 0 else ""


def _set(text: str, width: int, column: Column) -> str:
    shown = cut(text, width)
    padding = " " * (width - width_of(shown))
    return padding + shown if column.is_number else shown + padding


def render(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None = None
) -> list[str]:
    """The lines of the table, its headings first.

    Args:
        columns: all that can be shown; a narrow terminal shows fewer.
        rows: a text for each column.
        width: cells that a line may have; None for as many as it takes.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [
        max([width_of(column.title), *(width_of(row[place]) for row in cells)])
        for place, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    if width is not None:
        shown = _fit(columns, widths, width)
    titles = [column.title for column in columns]
    lines = []
    for row in (titles, *cells):
        line = GAP.join(_set(row[place], widths[place], columns[place]) for place in shown)
        lines.append(line.rstrip() if width is None else cut(line.rstrip(), width))
    return lines


def _fit(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Narrows `widths` and returns the places of the columns that are left."""
    shown = list(range(len(columns)))
    while True:
        excess = sum(widths[place] for place in shown) + len(GAP) * (len(shown) - 1) - width
        if excess <= 0:
            return shown
        elastic = [place for place in shown if columns[place].shrinks_to]
        room = sum(max(0, widths[place] - columns[place].shrinks_to) for place in elastic)
        if room >= excess:
            _shrink(columns, widths, elastic, excess)
            return shown
        last = max(shown, key=lambda place: (columns[place].rank, place))
        if not columns[last].rank:
            for place in elastic:
                widths[place] = min(widths[place], columns[place].shrinks_to)
            return shown
        shown.remove(last)


def _shrink(
    columns: Sequence[Column], widths: list[int], elastic: Sequence[int], excess: int
) -> None:
    for _ in range(excess):
        widest = max(elastic, key=lambda place: widths[place] - columns[place].shrinks_to)
        widths[widest] -= 1
