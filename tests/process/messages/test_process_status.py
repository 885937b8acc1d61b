from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from lineman.process.messages.process_status import (
    Certificate,
    ProcessReport,
    Sample,
    Status,
    Traffic,
    lately,
)


def test_a_report_survives_its_way_over_the_wire() -> None:
    report = ProcessReport(
        worker="chat",
        pid=7,
        pss=None,
        totals=Traffic(1, 2, 3, 4),
        rates=Traffic(0.5, 0, 0, 0),
        certificates=(Certificate("CN=a", ("a", "b"), "0a", 5.0, 6.0, "gone"),),
        closes={"client": 2},
    )
    assert ProcessReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_a_report_of_another_version_is_read_as_far_as_it_goes() -> None:
    report = ProcessReport.from_json(
        {
            "pid": 7,
            "novelty": 1,
            "totals": {"messages_in": 3, "novelty": 1},
            "certificates": [{"serial": "0a", "novelty": 1}],
        }
    )
    assert report == ProcessReport(
        pid=7, totals=Traffic(messages_in=3), certificates=(Certificate(serial="0a"),)
    )


def test_the_reply_to_status_is_read_and_who_did_not_answer_is_busy() -> None:
    child = {"worker": "chat", "slot": 0, "pid": 7, "state": "ready", "restarts": 1}
    status = Status.from_json(
        {
            "master": {"pid": 6, "state": "running", "novelty": 1},
            "children": [
                {**child, "answer": asdict(ProcessReport(pid=7))},
                {**child, "slot": 1, "answer": None, "last_cause": "signal 9"},
                {**child, "slot": 2, "answer": {"error": "RuntimeError: x"}},
                {**child, "worker": "push", "state": "starting", "answer": None},
            ],
        }
    )
    assert status.master.pid == 6
    assert [child.report is None for child in status.children] == [False, True, True, True]
    assert status.children[1].last_cause == "signal 9"
    assert status.workers() == ["chat", "push"]
    assert len(status.reports()) == 1
    assert status.reports("push") == []
    assert [child.is_ready for child in status.children] == [True, True, True, False]


@pytest.mark.parametrize(
    "told", [{"rss": "much"}, {"totals": 5}, {"facts": {"a": "b"}}, {"certificates": [1]}, []]
)
def test_what_is_no_report_counts_as_no_answer(told: object) -> None:
    status = Status.from_json({"children": [{"pid": 7, "answer": told}, {"pid": 8, "answer": {}}]})
    assert [child.report for child in status.children] == [None, ProcessReport()]


def test_an_empty_reply_is_a_service_without_processes() -> None:
    assert Status.from_json({}).children == ()


def test_rates_are_what_was_counted_over_the_time_that_passed() -> None:
    old = Sample(0.0, Traffic(100, 0, 0, 0), 1.0)
    newer = Sample(10.0, Traffic(200, 0, 0, 0), 2.0)
    now = Sample(15.0, Traffic(250, 10, 0, 0), 2.5)
    assert lately([old, newer], now, at_least=2.0) == (Traffic(10, 2, 0, 0), 0.1)


@pytest.mark.parametrize("age", [0.0, 1.0])
def test_a_sample_that_is_too_new_is_left_out(age: float) -> None:
    samples = [Sample(0.0, Traffic(100, 0, 0, 0), 0.0), Sample(10.0 - age, Traffic(200), 1.0)]
    assert lately(samples, Sample(10.0, Traffic(200), 1.0), at_least=2.0) == (Traffic(10), 0.1)


def test_without_an_earlier_sample_nothing_is_known_yet() -> None:
    now = Sample(1.0, Traffic(5, 5, 5, 5), 0.3)
    assert lately([], now, at_least=2.0) == (Traffic(), 0.0)
    assert lately([now], now, at_least=0.0) == (Traffic(), 0.0)
