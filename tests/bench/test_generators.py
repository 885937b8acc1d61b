"""The command lines of the load generators, and the samples from their answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from sidebyside.generators import LinemanBench, LoadFailedError, Wsload, choose, for_row
from sidebyside.processes import Server
from sidebyside.rows import ROWS
from sidebyside.samples import Sample

from lineman.cli.commands.bench import plan_of
from lineman.cli.main import parser
from lineman.client.stream_target import parse

ROW = {row.name: row for row in ROWS}
OURS = LinemanBench(1, 0.3)
THEIRS = Wsload(1, 0.3, "/opt/wsload")


class Process:
    pid = 4711


SERVER = Server("x", 9001, cast("subprocess.Popen[bytes]", Process()), Path("x.log"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_our_own_generator_understands_what_it_is_asked(row: Any) -> None:
    words = OURS.command(row, SERVER, 2.0)
    assert words[:4] == [sys.executable, "-m", "lineman", "bench"]
    options = parser().parse_args(words[3:])
    plan = plan_of(options, parse(options.url))
    assert str(plan.opening.target) == f"{row.scheme}://127.0.0.1:9001{row.path}"
    assert (plan.mode.value, plan.connections) == (row.kind.value, row.connections)
    if not row.is_memory:
        assert (plan.size, plan.depth, plan.batch, plan.spin) == (
            row.size, row.depth, row.is_batched, row.spins,
        )  # fmt: skip
        assert (plan.duration, plan.warmup, plan.pids) == (2.0, 0.3, (4711,))
        assert options.json


def test_rows_without_http_are_measured_by_our_own_generator() -> None:
    assert for_row(THEIRS, ROW["b"]) == THEIRS
    assert for_row(THEIRS, ROW["tcp"]) == OURS


def test_wsload_is_asked_in_its_own_words() -> None:
    assert THEIRS.command(ROW["c"], SERVER, 2.0) == [
        "/opt/wsload", "--url", "ws://127.0.0.1:9001/", "--mode", "echo", "--conns", "100",
        "--size", "32", "--depth", "16", "--secs", "2.0", "--warm", "0.3", "--pids", "4711",
        "--json", "--batch", "--spin",
    ]  # fmt: skip
    assert "handshake" in THEIRS.command(ROW["hs"], SERVER, 2.0)
    assert THEIRS.command(ROW["m"], SERVER, 9.0)[-2:] == ["--hold", "9.0"]


def ours(**changes: Any) -> dict[str, Any]:
    values = {
        "failures": {}, "unanswered": 0, "server_cpu_us_each": 3.5, "per_second": 1000.0,
        "latency_us": {"p50": 10.0, "p99": 20.0},
    }  # fmt: skip
    return values | changes


def theirs(**changes: Any) -> dict[str, Any]:
    values = {
        "wrong": 0, "err": 0, "rate": 1000.0, "srv_us_msg": 3.5, "p50": 10.0, "p99": 20.0,
    }  # fmt: skip
    return values | changes


def test_both_are_read_alike() -> None:
    assert OURS.read(ours()) == THEIRS.read(theirs()) == Sample(3.5, 1000.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"failures": {"connection lost": 3}}, "3 × connection lost"),
        ({"unanswered": 2}, "2 × unanswered"),
        ({"server_cpu_us_each": None}, "nothing was answered"),
        ({"latency_us": None}, "nothing was answered"),
    ],
)
def test_a_failed_run_of_ours_is_no_sample(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadFailedError, match=words):
        OURS.read(ours(**changes))


@pytest.mark.parametrize("changes", [{"wrong": 1}, {"err": 1}, {"rate": 0.0}])
def test_a_failed_run_of_wsload_is_no_sample(changes: dict[str, Any]) -> None:
    with pytest.raises(LoadFailedError, match="errors"):
        THEIRS.read(theirs(**changes))


def test_the_environment_names_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSLOAD", raising=False)
    assert choose(1, 0.3) == OURS
    monkeypatch.setenv("WSLOAD", "/opt/wsload")
    assert choose(1, 0.3) == THEIRS
