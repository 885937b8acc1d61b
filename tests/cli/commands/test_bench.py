"""`lineman bench` against real servers: Lineman's own, and one from another package."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from cli.benching import Bench, answered, assert_good, other
from cli.running import Service
from kit.descriptors import descriptors, wait_until_none_is_left
from kit.waiting import DEADLINE
from lineman.testing.certificates import IssuedPair, TestCA

# Echo.


@pytest.mark.parametrize(
    "words",
    [
        ["--connections", "1"],
        ["--connections", "20", "--text"],
        ["--connections", "5", "--depth", "16"],
        ["--connections", "5", "--depth", "16", "--batch", "--spin"],
        ["--connections", "3", "--size", "0"],
        ["--connections", "3", "--size", "126", "--warmup", "0.05"],
        ["--connections", "2", "--depth", "4", "--size", "300000"],
    ],
    ids=" ".join,
)
def test_our_worker_answers_everything(bench: Bench, service: Service, words: list[str]) -> None:
    values = assert_good(bench(service.url, "--json", *words))
    connections = int(words[1])
    assert answered(values) >= connections
    assert values["opened"] == connections
    assert values["close_codes"] == {"1000": connections}
    assert 0 < values["latency_us"]["p50"] <= values["latency_us"]["p99"]
    assert values["payload_bytes"] == values["count"] * values["size"]


def test_our_worker_answers_everything_over_tls(
    bench: Bench, tls_service: Service, ca: TestCA
) -> None:
    words = ["--connections", "5", "--depth", "2", "--size", "70000", "--ca", str(ca.ca_path)]
    values = assert_good(bench(tls_service.url, "--json", *words))
    assert values["tls"].startswith("TLSv1.3 ")
    assert answered(values) >= 10


def test_another_server_answers_everything(bench: Bench) -> None:
    with other() as url:
        assert answered(assert_good(bench(url, "--json", "--connections", "5"))) >= 5


def test_another_server_answers_everything_over_tls(
    bench: Bench, pair: IssuedPair, ca: TestCA
) -> None:
    with other(pair) as url:
        words = ["--connections", "3", "--size", "40000", "--ca", str(ca.ca_path)]
        assert answered(assert_good(bench(url, "--json", *words))) >= 3


def test_the_report_is_for_people(bench: Bench, service: Service) -> None:
    outcome = bench(service.url, "--connections", "3")
    assert outcome.status == 0
    assert outcome.out.startswith(f"{service.url}/  echo, 3 connections, 32 B binary, 0.2 s\n")
    assert "█" * 40 in outcome.out
    assert "  failures        none\n" in outcome.out
    assert outcome.err.startswith("connecting …\n")
    assert "echo …\n" in outcome.err


def test_a_greeting_does_not_disturb(bench: Bench, service: Service) -> None:
    values = assert_good(bench(f"{service.url}/greeting", "--json", "--connections", "4"))
    assert values["other_messages"] == 4
    assert answered(values) >= 4


def test_a_rate_is_kept(bench: Bench, service: Service) -> None:
    words = ["--json", "--connections", "4", "--depth", "100", "--rate", "200"]
    values = assert_good(bench(service.url, *words, duration="0.5"))
    assert 1 <= answered(values) <= 101


def test_the_servers_cpu_time_is_measured(bench: Bench, service: Service) -> None:
    values = assert_good(bench(service.url, "--json", "--pid", str(service.pid), duration="0.3"))
    assert 0 < values["server_cpu_us_each"] < 100_000


def test_headers_and_subprotocols_are_sent(bench: Bench, service: Service) -> None:
    words = ["--header", "X-Ticket: 7", "--subprotocol", "chat", "--json", "--connections", "2"]
    assert assert_good(bench(f"{service.url}/members", *words))["subprotocol"] == "chat"


# The other modes.


def test_idle_opens_and_holds(bench: Bench, service: Service) -> None:
    values = assert_good(bench(service.url, "--mode", "idle", "--json", "--connections", "50"))
    assert values["opened"] == 50
    assert values["close_codes"] == {"1000": 50}


def test_connect_opens_and_closes_again_and_again(bench: Bench, service: Service) -> None:
    words = ["--mode", "connect", "--json", "--connections", "4"]
    values = assert_good(bench(service.url, *words, duration="0.3"))
    assert answered(values) > 0
    assert set(values["close_codes"]) == {"1000"}


def test_connect_works_over_tls(bench: Bench, tls_service: Service) -> None:
    words = ["--mode", "connect", "--json", "--connections", "2", "--insecure"]
    assert_good(bench(tls_service.url, *words, duration="0.3"))


def test_connect_keeps_a_rate(bench: Bench, service: Service) -> None:
    words = ["--mode", "connect", "--json", "--connections", "30", "--rate", "50"]
    assert answered(assert_good(bench(service.url, *words, duration="0.3"))) <= 16


def test_a_broadcast_reaches_everybody(bench: Bench, service: Service) -> None:
    words = ["--mode", "broadcast", "--json", "--connections", "10", "--depth", "2"]
    values = assert_good(bench(f"{service.url}/all", *words))
    assert answered(values) >= 20
    assert values["opened"] == 11


# What goes wrong while it runs.


def test_any_reply_takes_whatever_comes(bench: Bench, service: Service) -> None:
    words = ["--any-reply", "--json", "--connections", "3", "--text"]
    values = assert_good(bench(f"{service.url}/ok", *words))
    assert values["payload_bytes"] == 2 * values["count"]


def test_a_service_that_closes_is_reported_with_its_code_and_reason(
    bench: Bench, service: Service
) -> None:
    outcome = bench(f"{service.url}/goodbye", "--connections", "3", duration="30")
    assert outcome.status == 1
    assert "3 × closed by the server: 4001 (enough); fix:" in outcome.out
    assert "  close codes     4001 × 3\n" in outcome.out
    assert "ended after" in outcome.out


def test_a_service_that_drops_connections_is_reported(bench: Bench, service: Service) -> None:
    outcome = bench(f"{service.url}/drop", "--connections", "3", "--json", duration="30")
    assert outcome.status == 1
    values = outcome.json
    assert values["failures"] == {"connection lost without a close frame": 3}
    assert values["close_codes"] == {"1006": 3}
    assert values["unanswered"] == 3
    assert values["interrupted"]


def test_answers_that_never_come_are_reported(bench: Bench, service: Service) -> None:
    words = ["--connections", "2", "--timeout", "0.2", "--json"]
    values = bench(f"{service.url}/silence", *words).json
    assert values["count"] == 0
    assert values["unanswered"] == 2


def test_a_client_that_waits_too_long_gives_up(bench: Bench, service: Service) -> None:
    words = ["--connections", "2", "--timeout", "0.2", "--json"]
    outcome = bench(f"{service.url}/silence", *words, duration="30")
    assert outcome.status == 1
    assert outcome.json["failures"] == {"no answer within 0.2 s": 2}


def test_ctrl_c_reports_what_was_measured_so_far(service: Service) -> None:
    words = [sys.executable, "-m", "lineman", "bench", service.url, "--duration", "600"]
    with subprocess.Popen(
        [*words, "--connections", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == "echo …\n":
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, out
    assert "/s, ended after" in out
    assert "close codes     1000 normal closure × 3" in out


def test_no_descriptor_is_left_open(bench: Bench, service: Service) -> None:
    bench(service.url, "--connections", "2")
    before = descriptors()
    bench(service.url, "--connections", "20")
    wait_until_none_is_left(before)
