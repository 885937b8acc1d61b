"""Plots of the figures on docs/benchmarks.md, from the tables there: no number is written twice.

A plot has a row for each row of the table, and a mark for each column. The axis is logarithmic
where X
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from lineman_site import pictures

PAGE = "docs/benchmarks.md"
OURS = "lineman"
ROW, WIDTH, RIGHT, TOP, LETTER = 30, 480, 30, 34, 7.2  # in the picture's own units
MARKS = ("circle", "square", "diamond", "triangle", "cross", "bar", "ring")


class PlotError(Exception):
    """A plot whose table is not there."""


@dataclass(frozen=True)
class Plot:
    """One plot.

    Attributes:
        heading: below which the table stands.
        first: the first cell of the table's head.
        caption: what is shown, with its unit and which end is better.
        columns: the columns to show; empty for all with figures.
    """

    heading: str
    first: str
    caption: str
    columns: tuple[str, ...] = ()


PLOTS = (
    Plot(
        "CPU time for each message, rawws = 1.0",
        "work",
        "CPU time for each message or connection, as a multiple of a plain C server's; "
        "left is better",
    ),
    Plot(
        "Latency of one connection",
        "server",
        "Latency of one connection in microseconds, there and back; left is better",
    ),
    Plot(
        "Memory for each connection, KiB",
        "",
        "Memory for each idle connection in KiB; left is better",
    ),
    Plot(
        "The gateway",
        "deliveries for each CPU second",
        "Deliveries for each second of CPU, two nodes with one Redis; right is better",
        ("servers", "with Redis"),
    ),
)


@dataclass(frozen=True)
class Table:
    """The figures of a table.

    Attributes:
        rows: names of the rows.
        columns: names of the columns.
        figures: by row and column; None where a cell has no number.
    """

    rows: list[str]
    columns: list[str]
    figures: list[list[float | None]]


def _cells(line: str) -> list[str]:
    return [cell.strip(" *") for cell in line.strip().strip("|").split("|")]


def _number(cell: str) -> float | None:
    found = re.fullmatch(r"[\d,]+(?:\.\d+)?", cell)
    return float(found[0].replace(",", "")) if found else None


def read(lines: list[str], columns: tuple[str, ...] = ()) -> Table:
    """The figures of a table of Markdown."""
    head, *body = [_cells(line) for line in (lines[0], *lines[2:])]
    chosen = [number for number, name in enumerate(head) if number and name in (columns or head)]
    figures = [[_number(row[number]) for number in chosen] for row in body]
    return Table([row[0] for row in body], [head[number] for number in chosen], figures)


def _scale(values: list[float]) -> tuple[bool, float, float]:
    """Whether the axis is logarithmic, and its ends."""
    least, most = min(values), max(values)
    if least > 0 and most / least > 10:
        return True, least / 1.25, most * 1.25
    return False, 0.0, most * 1.08


def _ticks(is_log: bool, low: float, high: float) -> Iterator[float]:
    if is_log:
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
            yield from (
                factor * 10.0**power for factor in (1, 2, 5) if low <= factor * 10.0**power <= high
            )
        return
    step = 10 ** math.floor(math.log10(high / 2))
    step *= next(factor for factor in (1, 2, 5, 10) if high / (step * factor) <= 6)
    yield from (step * number for number in range(int(high / step) + 1))


def _mark(shape: str, x: float, y: float, title: str, css: str) -> str:
    inner = {
        "circle": f'<circle cx="{x:.1f}" cy="{y}" r="6"/>',
        "ring": f'<circle cx="{x:.1f}" cy="{y}" r="5" class="hollow"/>',
        "square": f'<rect x="{x - 5:.1f}" y="{y - 5}" width="10" height="10"/>',
        "bar": f'<rect x="{x - 2:.1f}" y="{y - 8}" width="4" height="16"/>',
        "diamond": f'<path d="M{x:.1f} {y - 7} l6 7 l-6 7 l-6 -7z"/>',
        "triangle": f'<path d="M{x:.1f} {y - 6} l6.5 11 h-13z"/>',
        "cross": f'<path class="hollow" d="M{x - 5:.1f} {y - 5} l10 10 m0 -10 l-10 10"/>',
    }[shape]
    return f'<g class="{css}"><title>{escape(title)}</title>{inner}</g>'


def draw(table: Table, caption: str) -> str:
    """The plot of a table, as HTML."""
    values = [value for row in table.figures for value in row if value is not None]
    is_log, low, high = _scale(values)

    left = 24 + round(LETTER * max(map(len, table.rows)))

    def at(value: float) -> float:
        share = (
            math.log(value / low) / math.log(high / low) if is_log else (value - low) / (high - low)
        )
        return left + WIDTH * share

    others = iter(MARKS[1:])
    shapes = [MARKS[0] if name == OURS else next(others) for name in table.columns]
    height = TOP + ROW * len(table.rows) + 24
    parts = []
    for tick in _ticks(is_log, low, high):
        parts.append(f'<path class="grid" d="M{at(tick):.1f} {TOP} V{height - 24}"/>')
        parts.append(
            f'<text x="{at(tick):.1f}" y="{height - 6}" text-anchor="middle">{tick:,.10g}</text>'
        )
    for number, name in enumerate(table.rows):
        y = TOP + ROW * number + ROW // 2
        css = ' class="ours"' if name == OURS else ""
        parts.append(
            f'<text x="{left - 12}" y="{y + 4}" text-anchor="end"{css}>{escape(name)}</text>'
        )
        for column, value in enumerate(table.figures[number]):
            if value is not None:
                title = f"{name}, {table.columns[column]}: {value:,g}"
                css = f"mark{MARKS.index(shapes[column])}"
                parts.append(_mark(shapes[column], at(value), y, title, css))
    x = 12
    for column, name in enumerate(table.columns):
        css = f"mark{MARKS.index(shapes[column])}"
        parts.append(_mark(shapes[column], x, 12, name, css))
        parts.append(f'<text x="{x + 11}" y="16">{escape(name)}</text>')
        x += 32 + 8 * len(name)
    svg = f'<svg class="plot" viewBox="0 0 {left + WIDTH + RIGHT} {height}">\n'
    return pictures.figure(
        svg + "\n".join(parts) + "\n</svg>", caption, "The table below has the figures."
    )


def insert(text: str) -> str:
    """The page with a plot before each table that has one.

    Raises:
        PlotError: a heading or a table is not there.
    """
    lines = text.split("\n")
    for plot in PLOTS:
        heading = next((n for n, line in enumerate(lines) if line == f"## {plot.heading}"), None)
        if heading is None:
            raise PlotError(f"{PAGE} has no heading {plot.heading!r}; mend PLOTS in plots.py")
        start = next(
            (
                number
                for number in range(heading, len(lines))
                if lines[number].startswith("|") and _cells(lines[number])[0] == plot.first
            ),
            None,
        )
        if start is None:
            raise PlotError(f"{PAGE} has no table {plot.first!r} below {plot.heading!r}")
        end = next(n for n in range(start, len(lines)) if not lines[n].startswith("|"))
        table = read(lines[start:end], plot.columns)
        lines[start:start] = draw(table, plot.caption).split("\n")
    return "\n".join(lines)
