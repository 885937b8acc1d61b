from __future__ import annotations

import pytest

from lineman.cli.shared.table import Column, cut, printable, render, width_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chat", "chat"),
        ("聊天室", "聊天室"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u200bb", "a\\u200bb"),
        ("line\u2028end", "line\\u2028end"),
        ("\x00", "\\x00"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "width"),
    [("chat", 4), ("聊天室", 6), ("e\u0301", 1), ("Ａ", 2), ("", 0), ("🙂", 2)],
)
def test_wide_characters_count_for_two_cells(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("chat", 4, "chat"),
        ("chatroom", 4, "cha…"),
        ("聊天室", 6, "聊天室"),
        ("聊天室", 5, "聊天…"),
        ("聊天室", 4, "聊…"),
        ("聊天室", 1, "…"),
        ("chat", 0, ""),
    ],
)
def test_a_text_is_cut_between_characters(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert width_of(shown) <= width


COLUMNS = (
    Column("NAME", shrinks_to=4),
    Column("N", is_number=True),
    Column("NOTE", rank=1, shrinks_to=4),
    Column("MORE", rank=2),
)
ROWS = [["chat", "7", "all is well", "xxxxx"], ["聊天", "1234", "", "y"]]


def test_texts_stand_left_and_numbers_right() -> None:
    assert render(COLUMNS, ROWS) == [
        "NAME     N  NOTE         MORE",
        "chat     7  all is well  xxxxx",
        "聊天  1234               y",
    ]


@pytest.mark.parametrize("width", range(1, 40))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in render(COLUMNS, ROWS, width):
        assert width_of(line) <= width


def test_texts_shrink_before_columns_go() -> None:
    assert render(COLUMNS, ROWS, 26)[1] == "chat     7  all is…  xxxxx"


def test_the_least_important_column_goes_first() -> None:
    assert render(COLUMNS, ROWS, 19)[0].split() == ["NAME", "N", "NOTE"]
    assert render(COLUMNS, ROWS, 12)[0].split() == ["NAME", "N"]


def test_a_table_without_rows_has_its_headings() -> None:
    assert render(COLUMNS, []) == ["NAME  N  NOTE  MORE"]
