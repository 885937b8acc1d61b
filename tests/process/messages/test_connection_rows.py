from __future__ import annotations

import ipaddress
from dataclasses import astuple
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.process.messages.connection_rows import (
    COLUMNS,
    SORTS,
    Row,
    Selection,
    check_meant,
    is_in,
    merge,
    sort_key,
)


def answer(*rows: Row, matching: int | None = None) -> dict[str, Any]:
    count = len(rows)
    return {
        "columns": list(COLUMNS),
        "rows": [astuple(row)[: len(COLUMNS)] for row in rows],
        "matching": count if matching is None else matching,
        "total": count,
    }


def child(pid: int, given: object, slot: int = 0) -> dict[str, Any]:
    return {"worker": "chat", "slot": slot, "pid": pid, "answer": given}


QUIET = Row(id=1, ip="10.0.0.10", since=50.0, idle=90.0, messages_in=1, bytes_out=5)
BUSY = Row(id=2, ip="10.0.0.9", since=90.0, idle=0.1, messages_in=9, bytes_out=900, buffered=7)
NEW = Row(id=3, ip="unknown", since=None, idle=3.0, state="handshake")


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("id", [1, 2, 3]),
        ("idle", [1, 3, 2]),
        ("messages", [2, 1, 3]),
        ("bytes", [2, 1, 3]),
        ("buffered", [2, 1, 3]),
        ("ip", [2, 1, 3]),
    ],
)
def test_rows_are_sorted_by_what_one_looks_for(sort: str, ids: list[int]) -> None:
    rows = sorted([NEW, QUIET, BUSY], key=lambda row: sort_key(sort, row))
    assert [row.id for row in rows] == ids


def test_the_oldest_comes_first_by_age() -> None:
    rows = sorted([NEW, BUSY, QUIET], key=lambda row: sort_key("age", row))
    assert [row.id for row in rows] == [1, 2, 3]


def test_ipv4_comes_before_ipv6_and_both_before_what_is_unknown() -> None:
    rows = [Row(id=1), Row(id=2, ip="::1"), Row(id=3, ip="9.9.9.9"), Row(id=4, ip="::ffff")]
    rows.sort(key=lambda row: sort_key("ip", row))
    assert [row.id for row in rows] == [3, 2, 4, 1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sort": "colour"}, "cannot sort by 'colour'; there are id, age"),
        ({"state": "asleep"}, "no state is 'asleep'; there are handshake, open"),
        ({"limit": -1}, "limit is -1"),
        ({"ip": "10.0.0.256"}, "'10.0.0.256' is no address or network; write it like"),
    ],
)
def test_a_selection_that_makes_no_sense_is_told(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        Selection(**wrong)


def test_a_selection_survives_the_wire_and_what_is_new_in_it_is_left_out() -> None:
    selection = Selection(ip="10.0.0.0/8", sort="idle", limit=5)
    assert Selection.from_json({**selection.to_json(), "novelty": 1}) == selection


@pytest.mark.parametrize(
    ("network", "ip", "expected"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "10.1.2.3", False),
        ("0.0.0.0/0", "unknown", False),
    ],
)
def test_a_network_holds_its_addresses(network: str, ip: str, expected: bool) -> None:
    assert is_in(ipaddress.ip_network(network), ip) is expected


def test_the_rows_of_all_processes_come_in_one_order_as_many_as_asked_for() -> None:
    reply = {"children": [child(7, answer(QUIET, NEW, matching=5)), child(8, answer(BUSY))]}
    found = merge(reply, Selection(sort="messages", limit=2))
    assert [(row.pid, row.id) for row in found.rows] == [(8, 2), (7, 1)]
    assert found.rows[0].worker == "chat"
    assert found.rows[0].bytes_out == 900
    assert (found.matching, found.total, found.busy) == (6, 3, ())


def test_reversed_the_last_comes_first() -> None:
    reply = {"children": [child(7, answer(QUIET, BUSY, NEW))]}
    found = merge(reply, Selection(sort="id", reverse=True))
    assert [row.id for row in found.rows] == [3, 2, 1]


def test_equal_rows_are_in_the_order_of_process_and_id() -> None:
    reply = {"children": [child(8, answer(Row(id=1))), child(7, answer(Row(id=2), Row(id=1)))]}
    found = merge(reply, Selection(sort="bytes"))
    assert [(row.pid, row.id) for row in found.rows] == [(7, 1), (7, 2), (8, 1)]


@pytest.mark.parametrize(
    "busy",
    [
        None,
        {"error": "RuntimeError: x"},
        "nonsense",
        {"rows": 5},
        {"rows": [[1]]},
        {"rows": [[]], "columns": ["id"]},
        {"rows": [["one"]], "columns": ["id"]},
        {"rows": [[5]], "columns": ["path"]},
        {"rows": [], "columns": [[]]},
        {"rows": [], "matching": "all"},
        {"rows": [], "total": [7]},
    ],
)
def test_a_process_that_did_not_answer_is_named(busy: object) -> None:
    found = merge({"children": [child(7, answer(QUIET)), child(8, busy)]}, Selection())
    assert found.busy == (8,)
    assert len(found.rows) == 1


def test_columns_of_another_version_find_their_place() -> None:
    strange = {"columns": ["novelty", "ip", "id"], "rows": [[1, "10.0.0.1", 4]]}
    (row,) = merge({"children": [child(7, strange)]}, Selection()).rows
    assert (row.ip, row.id, row.state) == ("10.0.0.1", 4, "")


def test_every_sort_can_be_asked_for() -> None:
    for sort in SORTS:
        assert Selection(sort=sort).sort == sort


def asked(*children: tuple[str, int, bool]) -> dict[str, Any]:
    return {
        "children": [
            {"worker": worker, "pid": pid, "answer": {**answer(), "is_meant": is_meant}}
            for worker, pid, is_meant in children
        ]
    }


def test_a_worker_that_there_is_not_is_told_with_those_that_there_are() -> None:
    reply = asked(("chat", 7, False), ("chat", 8, False), ("ws://127.0.0.1:1", 9, False))
    reply["children"][0]["answer"]["inner"] = ["push\x1b[2J"]
    says = r"no worker 'nix'; there are chat, ws://127\.0\.0\.1:1, push[^\x1b]+$"
    with pytest.raises(UsageError, match=says):
        check_meant(reply, Selection(worker="nix"))
    with pytest.raises(UsageError, match=r"no process 5; there are 7 \(chat\), 8 \(chat\), 9"):
        check_meant(reply, Selection(pid=5))
    with pytest.raises(UsageError, match=r"no process 9 of a worker 'chat'; there are 7"):
        check_meant(reply, Selection(worker="chat", pid=9))


def test_who_is_meant_may_have_no_connections_or_be_too_busy_to_say() -> None:
    check_meant(asked(("chat", 7, False), ("push", 8, True)), Selection(worker="push"))
    busy = asked(("chat", 7, False))
    busy["children"].append({"worker": "push", "pid": 8, "answer": None})
    check_meant(busy, Selection(worker="nix"))
    check_meant({"children": [child(7, answer())]}, Selection(worker="nix"))  # an older program
    check_meant({}, Selection(worker="nix"))
