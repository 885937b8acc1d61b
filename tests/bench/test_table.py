"""Tables in Markdown."""

from __future__ import annotations

import pytest
from sidebyside.table import bold_least, number, render, width


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"), (0.984, "0.98"), (1.006, "1.01"), (9.994, "9.99"), (9.996, "10.0"),
        (17.84, "17.8"), (99.94, "99.9"), (99.96, "100"), (1747.2, "1,747"), (None, "–"),
    ],
)  # fmt: skip
def test_a_number_has_the_three_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_least_of_a_line_is_bold() -> None:
    assert bold_least([1.2, 0.9, None, 3.0]) == ["1.20", "**0.90**", "–", "3.00"]


def test_those_who_share_the_least_are_all_bold() -> None:
    assert bold_least([1.0, 1.0, 2.0]) == ["**1.00**", "**1.00**", "2.00"]


@pytest.mark.parametrize("values", [[1.0], [None, 1.0], [None, None], []])
def test_without_a_second_number_nothing_is_the_least(values: list[float | None]) -> None:
    assert bold_least(values) == [number(value) for value in values]


def test_a_table_can_be_read_as_its_source_too() -> None:
    assert render(["work", "ours", "theirs"], [["echo", "1.00", "**0.90**"], ["h", "12.0"]]) == (
        "| work | ours |   theirs |\n"
        "| ---- | ---: | -------: |\n"
        "| echo | 1.00 | **0.90** |\n"
        "| h    | 12.0 |          |\n"
    )


def test_more_columns_than_the_first_can_be_text() -> None:
    lines = render(["a", "b", "c"], [["x", "y", "1"]], left=2).splitlines()
    assert lines[1] == "| --- | --- | --: |"


def test_a_table_without_lines_has_its_head() -> None:
    assert render(["a", "b"], []) == "| a   |   b |\n| --- | --: |\n"


def test_a_cell_cannot_break_the_table() -> None:
    assert "| x \\| y z |" in render(["a"], [["x | y\nz"]])


def test_too_many_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="more cells"):
        render(["a"], [["x", "y"]])


def test_chinese_and_accents_keep_the_columns_straight() -> None:
    assert width("中文") == 4
    assert width("e\u0301") == 1
    assert render(["名", "n"], [["ab", "1"]]).splitlines()[0] == "| 名  |   n |"
