from __future__ import annotations

from lineman.process.master.ended_counters import (
    MAX_IN_GROUP,
    EndedCounters,
    add,
    counters,
    highest,
)
from lineman.process.messages.process_status import ProcessReport, Traffic

FIRST = {"opened": 3, "totals": {"bytes_in": 10}, "closes": {"client": 2}}
SECOND = {"opened": 1, "totals": {"bytes_in": 5}, "closes": {"lost": 1}, "new": 7}


def test_counters_are_what_only_grows() -> None:
    report = ProcessReport(connections=9, opened=3, totals=Traffic(bytes_in=10), closes={"a": 1})
    told = counters(report.to_json())
    assert told["opened"] == 3
    assert told["totals"]["bytes_in"] == 10
    assert told["closes"] == {"a": 1}
    assert "connections" not in told


def test_a_sum_has_every_number_of_both() -> None:
    assert add(FIRST, SECOND) == {
        "opened": 4,
        "totals": {"bytes_in": 15},
        "closes": {"client": 2, "lost": 1},
        "new": 7,
    }
    assert FIRST["opened"] == 3


def test_the_highest_of_each_number() -> None:
    assert highest(FIRST, SECOND)["opened"] == 3
    assert highest(SECOND, FIRST)["closes"] == {"client": 2, "lost": 1}
    assert highest({}, FIRST) == FIRST


def test_what_a_process_has_told_is_kept_when_it_is_gone() -> None:
    ledger = EndedCounters()
    ledger.note(1, "chat", {"opened": 1})
    ledger.note(1, "chat", {"opened": 3})
    ledger.note(2, "chat", {"opened": 5})
    assert ledger.last(1) == {"opened": 3}
    assert ledger.ended() == {}
    ledger.settle(1)
    ledger.settle(2)
    assert ledger.ended() == {"chat": {"opened": 8}}
    assert ledger.last(1) is None


def test_a_process_that_never_told_anything_leaves_nothing() -> None:
    ledger = EndedCounters()
    ledger.settle(7)
    assert ledger.ended() == {}


def test_what_nobody_counts_is_left_out_and_mixes_with_nothing() -> None:
    ledger = EndedCounters()
    for told in (
        {"opened": {"a": 1}, "closes": 5, "sudo": 1, "refusals": {"400": {"a": 1}, "404": 2}},
        {"opened": 3, "closes": {"gone": 1}, "refusals": {"400": 1}},
    ):
        ledger.note(1, "chat", told)
        ledger.settle(1)
    assert ledger.ended() == {
        "chat": {"opened": 3, "closes": {"gone": 1}, "refusals": {"404": 2, "400": 1}}
    }


def test_names_do_not_pile_up() -> None:
    ledger = EndedCounters()
    for number in range(10):
        told = {"closes": {f"{number} {each}": 1 for each in range(MAX_IN_GROUP - 1)}}
        ledger.note(number, "chat", told)
        ledger.settle(number)
    assert len(ledger.ended()["chat"]["closes"]) == MAX_IN_GROUP
