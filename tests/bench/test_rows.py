"""The rows of the table."""

from __future__ import annotations

import pytest
from sidebyside.rows import ROWS, Kind, choose


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_without_names_all_rows_are_run() -> None:
    assert choose(None, is_short=False) == list(ROWS)


def test_rows_come_in_the_order_in_which_they_are_named() -> None:
    assert [row.name for row in choose("h, b", is_short=False)] == ["h", "b"]


def test_an_unknown_row_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="no row 'z'; there are a, b, c"):
        choose("a,z", is_short=False)


def test_a_short_run_has_few_connections_and_the_same_work_otherwise() -> None:
    for short, row in zip(choose(None, is_short=True), ROWS, strict=True):
        assert short.connections <= (200 if row.is_memory else 20)
        assert (short.name, short.size, short.depth) == (row.name, row.size, row.depth)


def test_a_row_knows_its_scheme_its_path_and_its_unit() -> None:
    rows = {row.name: row for row in ROWS}
    assert (rows["b"].scheme, rows["f32"].scheme) == ("ws", "wss")
    assert (rows["b"].path, rows["i"].path) == ("/", "/b")
    assert (rows["b"].unit, rows["h"].unit) == ("message", "connection")
    assert (rows["text16"].scheme, rows["text16"].path) == ("text", "")
    assert [row.name for row in ROWS if row.is_memory] == ["m", "ms", "mt"]
    assert rows["hs"].kind is Kind.CONNECT


def test_the_rows_without_http_are_done_by_lineman_and_the_server_in_c() -> None:
    rows = {row.name: row for row in ROWS}
    servers = ["picows", "lineman", "stream_echo"]
    assert rows["tcp"].done_by(servers) == ["lineman", "stream_echo"]
    assert rows["b"].done_by(servers) == ["picows", "lineman"]
