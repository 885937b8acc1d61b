"""The report in the terminal, and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineman.cli.load.histogram import Histogram
from lineman.cli.load.load_counts import Result, ServerCpu
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.load.load_report import as_json, bar, duration, render, three_digits
from lineman.cli.websocket_client.failures import Failure
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse


def result(plan: dict[str, Any] | None = None, **changes: Any) -> Result:
    latency = Histogram()
    for _ in range(99):
        latency.add(1_000_000)
    latency.add(20_000_000)
    values: dict[str, Any] = {
        "plan": Plan(ClientOpening(parse("ws://127.0.0.1:8282/")), **(plan or {})),
        "seconds": 2.0, "count": 100, "payload": 3200, "latency": latency, "opened": 100,
        "opening_seconds": 0.0125, "close_codes": {1000: 100},
    }  # fmt: skip
    return Result(**(values | changes))


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0.00 µs"),
        (870, "0.87 µs"),
        (12_340, "12.3 µs"),
        (812_000, "812 µs"),
        (999_400, "999 µs"),
        (999_600, "1.00 ms"),
        (1_240_000, "1.24 ms"),
        (157_000_000, "157 ms"),
        (2_100_000_000, "2.10 s"),
        (4_000_000_000_000, "4,000 s"),
    ],
)
def test_a_duration_is_in_the_unit_that_suits_it(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (1.236, "1.24"), (9.996, "10.0"), (99.96, "100"), (1e4, "10,000")],
)  # fmt: skip
def test_a_number_has_the_three_digits_that_count(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_a_bar_grows_in_eighths_and_is_never_empty_above_zero() -> None:
    assert bar(0, 10) == ""
    assert bar(0.0001, 10) == "▏"
    assert bar(0.5, 10) == "█████"
    assert bar(0.55, 10) == "█████▌"
    assert bar(1, 10) == "██████████"


def test_the_report_says_what_was_done_and_what_came_of_it() -> None:
    text = render(result())
    assert text.startswith("ws://127.0.0.1:8282/  echo, 100 connections, 32 B binary, 10 s\n")
    assert "  messages        100   50.0 /s\n" in text
    assert "  connections     100 opened in 12.5 ms\n" in text
    assert "p50 1.01 ms   p90 1.01 ms   p99 1.01 ms   p99.9 20.0 ms   max 20.0 ms" in text
    assert "  failures        none\n" in text
    assert text.endswith("  close codes     1000 normal closure × 100\n")


def test_the_longest_bar_is_the_most_frequent_latency() -> None:
    bars = [line for line in render(result()).splitlines() if line.startswith("  ≤")]
    assert len(bars) == 12
    assert "█" * 40 in bars[0]
    assert bars[0].endswith(" 99.0%")
    assert bars[-1].endswith("  1.0%")
    assert bars[-1].startswith("  ≤  20.0 ms ")


def test_no_line_is_wider_than_a_terminal_but_those_that_explain_a_failure() -> None:
    assert max(len(line) for line in render(result()).splitlines()) < 100


def test_tls_depth_rate_and_subprotocol_are_told() -> None:
    text = render(
        result({"depth": 4, "rate": 2500.0, "is_text": True}, tls="TLSv1.3 X", subprotocol="chat")
    )
    assert "32 B text, 4 in flight, 2,500 a second, 10 s\n  TLSv1.3 X, chat\n" in text


def test_failures_are_told_with_their_number_and_remedy_most_frequent_first() -> None:
    text = render(
        result(
            failures={"HTTP 503": 2, "lost": 30},
            examples={"HTTP 503": Failure("HTTP 503", "it refused with 503", "use fewer")},
            unanswered=7,
            others=3,
        )
    )
    assert "failures        30 × lost\n" in text
    assert "failures        2 × it refused with 503; fix: use fewer\n" in text
    assert text.index("30 × lost") < text.index("2 × it")
    assert "unanswered      7 at the end\n" in text
    assert "other messages  3, which were no answers\n" in text


def test_an_early_end_is_told() -> None:
    assert "/s, ended after 2.0 s\n" in render(result(is_interrupted=True))


def test_the_servers_cpu_time_is_told_where_it_was_measured() -> None:
    text = render(result(server=ServerCpu(0.001, 0.25)))
    assert "  server CPU      10.0 µs per message   25% user\n" in text
    assert "µs per message\n" in render(result(server=ServerCpu(0.001, None)))


def test_copies_and_connections_are_called_so() -> None:
    server = ServerCpu(0.001, None)
    assert "per copy\n" in render(result({"mode": Mode.BROADCAST}, server=server))
    text = render(result({"mode": Mode.CONNECT}, server=server, payload=0))
    assert "  connections     100   50.0 /s\n" in text
    assert "per connection\n" in text
    assert "opened in" not in text


def test_idle_tells_how_long_connections_were_held() -> None:
    text = render(result({"mode": Mode.IDLE}, count=0, payload=0, latency=Histogram()))
    assert "  connections     100 opened in 12.5 ms, held 2.0 s\n" in text
    assert "latency" not in text
    assert "messages" not in text


def test_without_any_answer_there_is_no_latency_but_a_report() -> None:
    text = render(result(count=0, payload=0, latency=Histogram()))
    assert "  messages        0   0.00 /s\n" in text
    assert "latency" not in text


def test_json_holds_the_same_with_units_in_the_names() -> None:
    values = as_json(result(server=ServerCpu(0.001, 0.25), failures={"lost": 1}))
    assert json.loads(json.dumps(values)) == values
    assert values["count"] == 100
    assert values["per_second"] == 50.0
    assert values["latency_us"]["p50"] == pytest.approx(1000, rel=1 / 64)
    assert values["latency_us"]["max"] == 20_000
    assert values["server_cpu_us_each"] == 10.0
    assert values["failures"] == {"lost": 1}
    assert values["close_codes"] == {"1000": 100}
    assert sum(count for _, _, count in values["histogram_us"]) == 100


def test_json_has_null_for_what_was_not_measured() -> None:
    values = as_json(result(latency=Histogram(), count=0))
    assert values["latency_us"] is None
    assert values["server_cpu_us_each"] is None
    assert values["server_cpu_seconds"] is None


@pytest.mark.parametrize(
    ("plan", "changes", "is_good"),
    [
        ({}, {}, True),
        ({}, {"failures": {"lost": 1}}, False),
        ({}, {"unanswered": 1}, False),
        ({}, {"count": 0}, True),  # the first answers came after the end
        ({}, {"latency": Histogram()}, False),
        ({}, {"others": 5}, True),
        ({"mode": Mode.IDLE}, {"count": 0}, True),
        ({"mode": Mode.IDLE}, {"count": 0, "opened": 0}, False),
    ],
)
def test_a_result_is_good_when_all_was_answered(
    plan: dict[str, Any], changes: dict[str, Any], is_good: bool
) -> None:
    assert result(plan, **changes).is_good is is_good
