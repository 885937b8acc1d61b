"""The page that `make bench` writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sidebyside.document import (
    BEGIN,
    END,
    GATEWAY_MARKS,
    SKELETON,
    Circumstances,
    figures,
    replace_figures,
)
from sidebyside.rows import ROWS, Row
from sidebyside.samples import Sample, Samples

FACTS = Circumstances(
    date="2026-01-31",
    machine=["a processor", "2 cores"],
    versions=["lineman 0.1.0 (compiled)", "picows 2.3.1"],
    command="make bench",
    generator="`lineman bench`",
    rounds=3,
    seconds=2.0,
)


def rows(*names: str) -> list[Row]:
    return [row for row in ROWS if row.name in names]


def samples(**costs: float) -> Samples:
    """One round; `b_picows=2.0` is the cost of picows in row b."""
    keys = {tuple(name.split("_")): cost for name, cost in costs.items()}
    return Samples(
        "lineman",
        [{(row, server): Sample(cost, 100.0, 50.0, 90.0) for (row, server), cost in keys.items()}],
    )


def page(found: Samples, *names: str) -> str:
    return figures(found, rows(*names), ["lineman", "picows"], FACTS)


def test_the_page_says_when_where_with_what_and_how_to_repeat_it() -> None:
    text = page(samples(b_lineman=2.0, b_picows=3.0), "b")
    assert "Measured on 2026-01-31: a processor, 2 cores.\n" in text
    assert "the load (`lineman bench`) on another.\n" in text
    assert "Rounds: 3, interleaved, 2 s for each server and row.\n" in text
    assert "- lineman 0.1.0 (compiled)\n- picows 2.3.1\n" in text
    assert "```sh\nmake bench\n```\n" in text


def test_the_first_table_has_the_ratios_and_the_best_in_bold() -> None:
    text = page(samples(b_lineman=2.0, b_picows=3.0), "b")
    assert "## CPU time for each message, lineman = 1.0\n" in text
    assert "| b: ws echo, 100 connections, 32 B | **1.00** |   1.50 |\n" in text


def test_the_second_table_has_microseconds() -> None:
    text = page(samples(b_lineman=2.0, b_picows=3.0), "b")
    assert "| b    |    2.00 |   3.00 |\n" in text


def test_latency_stands_there_for_one_connection_only() -> None:
    assert "Latency" not in page(samples(b_lineman=2.0), "b")
    text = page(samples(a_lineman=2.0), "a")
    assert "| lineman | 50.0 | 90.0 |\n" in text
    assert "| picows  |    – |    – |\n" in text


def test_memory_has_a_table_of_its_own() -> None:
    text = page(samples(m_lineman=2.0, m_picows=28.0), "m")
    assert "CPU time" not in text
    assert "| m: idle ws connection, 10,000 of them | **2.00** |   28.0 |\n" in text


def test_protocols_without_http_have_a_table_of_their_own_beside_the_server_in_c() -> None:
    found = samples(text_lineman=3.0, text_echo=2.0, mt_lineman=0.6, b_lineman=2.0, b_picows=3.0)
    (one,) = found.rounds
    one["text", "stream_echo"] = one.pop(("text", "echo"))
    servers = ["lineman", "picows", "stream_echo"]
    text = figures(found, rows("b", "text", "mt"), servers, FACTS)
    assert "| b: ws echo, 100 connections, 32 B | **1.00** |   1.50 |\n" in text
    streams = text.partition("## Protocols without HTTP, stream_echo = 1.0\n")[2]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in streams.splitlines()]
    assert ["work", "stream_echo", "lineman", "stream_echo, µs", "lineman, µs"] in cells
    assert ["text: text echo, 100 connections, 32 B", "1.00", "1.50", "2.00", "3.00"] in cells
    assert ["mt: idle tcp connection, 10,000 of them", "–", "–", "–", "0.60"] in cells


def test_rows_where_others_are_better_are_named() -> None:
    text = page(samples(b_lineman=2.0, b_picows=1.0, d_lineman=1.0, d_picows=3.0), "b", "d")
    wins = text.partition("## Where others are better\n")[2]
    assert "- b, ws echo, 100 connections, 32 B: picows needs 50% of what Lineman needs.\n" in wins
    assert "- d" not in wins


def test_where_nobody_is_better_the_page_says_so() -> None:
    text = page(samples(b_lineman=2.0, b_picows=1.9), "b")
    assert "In this run nowhere by more than 10%; closer ones are ties.\n" in text


def test_alone_there_is_nobody_to_be_better() -> None:
    text = figures(samples(b_lineman=2.0), rows("b"), ["lineman"], FACTS)
    assert "Where others" not in text


def test_the_floor_is_no_competitor() -> None:
    found = samples(b_floor=1.0, b_lineman=1.5, b_picows=2.0)
    found.base = "floor"
    facts = replace(FACTS, floor="floor", notes=("The floor is in C.",))
    text = figures(found, rows("b"), ["floor", "lineman", "picows"], facts)
    assert "|  1.00 | **1.50** |   2.00 |\n" in text
    assert "In this run nowhere by more than 10%" in text
    assert "```\n\nThe floor is in C.\n" in text


def test_what_failed_is_told() -> None:
    found = samples(b_lineman=2.0)
    found.failures["b", "picows"] = "3 × connection lost"
    text = page(found, "b")
    assert "- b, picows: 3 × connection lost\n" in text
    assert "|    1.00 |      – |\n" in text


def test_figures_replace_figures_and_leave_the_rest_alone() -> None:
    once = replace_figures(f"# Title\n\n{BEGIN}\n{END}\n\n## Where the time goes\n", "one")
    assert once == f"# Title\n\n{BEGIN}\n\none\n\n{END}\n\n## Where the time goes\n"
    assert replace_figures(once, "two\n") == once.replace("one", "two")


@pytest.mark.parametrize("text", ["# Title\n", f"{BEGIN}\n", f"{END}\n"])
def test_a_page_without_its_marks_is_not_overwritten(text: str) -> None:
    with pytest.raises(ValueError, match="put it back"):
        replace_figures(text, "one")


def test_the_first_page_has_the_marks() -> None:
    assert "one" in replace_figures(SKELETON, "one")


def test_the_gateway_has_its_own_place_on_the_page() -> None:
    page = replace_figures(replace_figures(SKELETON, "one"), "two", GATEWAY_MARKS)
    assert page.index("one") < page.index(END) < page.index(GATEWAY_MARKS[0]) < page.index("two")
    with pytest.raises(ValueError, match="gateway: end"):
        replace_figures(page.replace(GATEWAY_MARKS[1], ""), "two", GATEWAY_MARKS)
