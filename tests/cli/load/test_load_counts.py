"""What is counted while a load test runs, and when its result is good."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.cli.load.histogram import Histogram
from lineman.cli.load.load_counts import LoadCounts, Result, ServerCpu
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.websocket_client.failures import Failure
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse

OPENING = ClientOpening(parse("ws://127.0.0.1:1/"))


def result(mode: Mode = Mode.ECHO, answers: int = 1, **others: Any) -> Result:
    latency = Histogram()
    for _ in range(answers):
        latency.add(1000)
    values = {"seconds": 2.0, "count": answers, "payload": 0, "opened": 1, "opening_seconds": 0.1}
    return Result(plan=Plan(OPENING, mode), latency=latency, **values | others)


def test_of_each_kind_of_failure_the_first_is_the_example() -> None:
    counts = LoadCounts()
    counts.fail(Failure("lost", "lost at first", "look"))
    counts.fail(Failure("lost", "lost again", "look"))
    counts.fail(Failure("refused", "refused", "start it"))
    assert counts.failures == {"lost": 2, "refused": 1}
    assert counts.examples["lost"].seen == "lost at first"


def test_the_warm_up_counts_for_nothing_but_is_remembered() -> None:
    counts = LoadCounts()
    assert not counts.has_counted
    counts.count, counts.payload = 3, 15
    counts.latency.add(2000)
    counts.fail(Failure("lost", "lost", "look"))
    counts.start_again()
    assert (counts.count, counts.payload, counts.latency.count) == (0, 0, 0)
    assert counts.has_counted
    assert counts.failures == {"lost": 1}


@pytest.mark.parametrize(
    ("found", "is_good"),
    [
        (result(), True),
        (result(answers=0), False),
        (result(unanswered=1), False),
        (result(failures={"lost": 1}), False),
        (result(Mode.IDLE, answers=0), True),
        (result(Mode.IDLE, answers=0, opened=0), False),
    ],
)
def test_a_result_is_good_if_something_was_done_and_nothing_failed(
    found: Result, is_good: bool
) -> None:
    assert found.is_good is is_good


def test_what_a_second_and_each_answer_cost_is_none_where_it_was_not_measured() -> None:
    assert result(answers=4).per_second == 2.0
    assert result(seconds=0.0).per_second == 0.0
    assert result(answers=4, server=ServerCpu(1.0, None)).cpu_per_count == 0.25
    assert result(answers=0, server=ServerCpu(1.0, None)).cpu_per_count is None
    assert result().cpu_per_count is None
