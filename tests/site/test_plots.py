"""The plots show the figures of the tables, and stop the build where a table is no longer there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lineman_site import plots
from lineman_site.plots import PlotError

PAGE = (Path(__file__).parents[2] / plots.PAGE).read_text(encoding="utf-8")
TABLE = """| work | rawws | lineman | others |
| --- | ---: | ---: | ---: |
| a: x & y | 1.00 | **1.5** | |
| b | 1.00 | **2** | 1,200 |"""


def test_every_figure_of_a_table_has_its_mark() -> None:
    drawn = plots.draw(plots.read(TABLE.split("\n")), "A caption")
    titles = re.findall(r"<title>([^<]*: [^<]*)</title>", drawn)
    assert titles == [
        "a: x &amp; y, rawws: 1",
        "a: x &amp; y, lineman: 1.5",
        "b, rawws: 1",
        "b, lineman: 2",
        "b, others: 1,200",
    ]


def test_a_larger_figure_stands_further_right() -> None:
    drawn = plots.draw(plots.read(TABLE.split("\n")), "A caption")
    (ours, more) = re.findall(r'lineman: [^<]*</title><circle cx="([\d.]+)"', drawn)
    assert float(ours) < float(more)


def test_the_page_of_the_benchmarks_gets_all_its_plots_and_keeps_its_tables() -> None:
    page = plots.insert(PAGE)
    assert page.count('<svg role="img"') == len(plots.PLOTS)
    without = re.sub(r'<figure class="picture">.*?</figure>\n\n', "", page, flags=re.DOTALL)
    assert without == PAGE


@pytest.mark.parametrize("plot", plots.PLOTS, ids=lambda plot: plot.heading)
def test_a_heading_or_a_table_that_is_gone_is_an_error(plot: plots.Plot) -> None:
    with pytest.raises(PlotError, match=re.escape(repr(plot.heading))):
        plots.insert(PAGE.replace(f"## {plot.heading}\n", "## Another\n"))
    with pytest.raises(PlotError, match="has no table"):
        plots.insert(re.sub(rf"^\| {re.escape(plot.first)} *\|", "| other |", PAGE, flags=re.M))
