from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lineman.metrics.families import Book, families, readiness
from lineman.net.connection.end_causes import CLOSE_CAUSES
from lineman.process.messages.process_status import Certificate, ProcessReport, Status, Traffic

REPORT = ProcessReport(
    worker="chat",
    connections=5,
    opened=20,
    accepted=30,
    rss=1000,
    worst_lag=0.5,
    totals=Traffic(100, 200, 300, 400),
    closes={"client": 3},
    refusals={"403": 2},
    hits={"max_unfinished_size": 4},
    exceptions=1,
    unknown_names=4,
    certificates=(Certificate("CN=a", ("a.example",), "01", 2000.0),),
)


def child(report: ProcessReport | None, **facts: Any) -> dict[str, Any]:
    told = {"worker": "chat", "slot": 0, "pid": 7, "state": "ready", "restarts": 0, **facts}
    return {**told, "answer": None if report is None else report.to_json()}


def reply(*children: dict[str, Any], state: str = "running", **more: Any) -> dict[str, Any]:
    return {"master": {"pid": 1, "state": state, "started": 9.0}, "children": children, **more}


class Scrape:
    """What Prometheus reads."""

    def __init__(self, book: Book, told: dict[str, Any]) -> None:
        book.take(told)
        status = Status.from_json(told)

        class Registry:
            def collect(self) -> Any:
                return families(status, book)

        self.text = generate_latest(Registry()).decode()  # type: ignore[arg-type]
        read = text_string_to_metric_families(self.text)
        self.families = {family.name: family for family in read}

    def __getitem__(self, name: str) -> float:
        """The sum of a sample over all labels; of some with `name{label=value}`."""
        name, _, wanted = name.rstrip("}").partition("{")
        label, _, value = wanted.partition("=")
        return sum(
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and (not label or sample.labels[label] == value)
        )


def scrape(*children: dict[str, Any], **more: Any) -> Scrape:
    return Scrape(Book(), reply(*children, **more))


def test_counters_are_summed_over_processes_and_told_by_worker() -> None:
    other = child(replace(REPORT, worker="push"), worker="push")
    seen = scrape(child(REPORT), child(REPORT, slot=1), other)
    assert seen["lineman_messages_received_total"] == 300
    assert seen["lineman_messages_received_total{worker=chat}"] == 200
    assert seen["lineman_sent_bytes_total{worker=push}"] == 400
    assert seen["lineman_opened_total"] == 60
    assert seen["lineman_callback_exceptions_total"] == 3
    assert seen["lineman_unknown_names_total{worker=chat}"] == 8


def test_gauges_are_told_by_slot() -> None:
    seen = scrape(child(REPORT), child(replace(REPORT, worst_lag=2.0), slot=1))
    assert seen["lineman_connections{slot=1}"] == 5
    assert seen["lineman_event_loop_lag_seconds{slot=1}"] == 2.0
    assert seen["lineman_start_time_seconds"] == 9.0


def test_two_processes_in_one_slot_are_one_figure() -> None:
    seen = scrape(child(REPORT), child(replace(REPORT, worst_lag=0.1), state="retiring"))
    assert seen["lineman_connections{slot=0}"] == 10
    assert seen["lineman_event_loop_lag_seconds{slot=0}"] == 0.5
    assert seen["lineman_processes{state=retiring}"] == 1


def test_every_cause_is_there_from_the_start_and_has_its_count() -> None:
    seen = scrape(child(REPORT))
    assert seen["lineman_closes_total{cause=client}"] == 3
    samples = seen.families["lineman_closes"].samples
    assert {sample.labels["cause"] for sample in samples} == set(CLOSE_CAUSES)
    assert seen["lineman_refused_requests_total{status=403}"] == 2
    assert seen["lineman_limit_hits_total{limit=max_unfinished_size}"] == 4
    assert seen["lineman_limit_hits_total{limit=unfinished_timeout}"] == 0


def test_a_certificate_that_ends_first_counts() -> None:
    later = replace(REPORT, certificates=(Certificate("CN=a", ("a.example",), "02", 9000.0),))
    seen = scrape(child(later), child(REPORT, slot=1))
    name = "lineman_certificate_expiry_timestamp_seconds"
    assert seen[f"{name}{{name=a.example}}"] == 2000.0


def test_what_a_gone_process_has_counted_stays() -> None:
    ended = {"chat": {"opened": 100, "closes": {"lost": 4}, "totals": {"messages_in": 7}}}
    seen = scrape(child(REPORT), ended=ended)
    assert seen["lineman_opened_total"] == 120
    assert seen["lineman_closes_total{cause=lost}"] == 4
    assert seen["lineman_messages_received_total"] == 107


def test_counters_never_go_back() -> None:
    book = Book()
    assert Scrape(book, reply(child(REPORT)))["lineman_opened_total"] == 20
    # It was killed, and its last report to the master is older than its report to us.
    ended = {"chat": {"opened": 15}}
    assert Scrape(book, reply(ended=ended))["lineman_opened_total"] == 20
    new = child(replace(REPORT, opened=8))
    assert Scrape(book, reply(new, ended=ended))["lineman_opened_total"] == 23


def test_a_busy_process_counts_with_what_it_told_last() -> None:
    seen = scrape(child(None, last={"opened": 12}))
    assert seen["lineman_opened_total"] == 12
    assert seen["lineman_processes{state=busy}"] == 1


def test_restarts_are_counted_by_slot_and_once_where_two_processes_share_it() -> None:
    seen = scrape(
        child(REPORT, restarts=2),
        child(REPORT, restarts=2, state="retiring"),
        child(REPORT, slot=1, restarts=1),
    )
    assert seen["lineman_process_restarts_total"] == 3


def test_an_empty_service_has_metrics_too() -> None:
    seen = Scrape(Book(), {})
    assert seen["lineman_ready"] == 0
    assert seen["lineman_build_info"] == 1


def test_every_metric_has_a_help_text_and_names_follow_the_rules() -> None:
    seen = scrape(child(REPORT))
    for family in seen.families.values():
        assert family.documentation.endswith(".")
        assert family.name.startswith("lineman_")


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (reply(child(REPORT)), []),
        (reply(child(REPORT), state="reloading"), []),
        (reply(child(REPORT), state="starting"), ["the service is starting"]),
        (reply(child(REPORT), state="stopping"), ["the service is stopping"]),
        (reply(child(REPORT), state="draining"), ["the service is draining"]),
        ({}, ["the service is not running"]),
        (reply(child(REPORT), child(None, state="down", slot=1)), []),
        (reply(child(None, state="down")), ["chat has no ready process"]),
        (reply(child(REPORT, state="retiring")), ["chat has no ready process"]),
        (
            reply(child(REPORT), child(None, worker="push", state="starting")),
            ["push has no ready process"],
        ),
        (
            reply(
                child(replace(REPORT, facts={"gateway_workers_ready": 2}), pid=7),
                child(replace(REPORT, facts={"gateway_workers_ready": 0}), pid=8),
            ),
            ["process 8 of chat reaches no business worker"],
        ),
    ],
)
def test_readiness_says_what_is_missing(told: dict[str, Any], missing: list[str]) -> None:
    assert readiness(Status.from_json(told)) == missing
