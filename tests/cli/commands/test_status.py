from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lineman.cli.commands import status as command
from lineman.cli.shared.table import width_of
from lineman.process.messages.process_status import (
    Certificate,
    ChildStatus,
    MasterStatus,
    ProcessReport,
    Status,
    Traffic,
)

NOW = 1_800_000_000.0
DAY = 86400.0

REPORT = ProcessReport(
    worker="chat",
    pid=11,
    started=NOW - 3700,
    version="0.1.0",
    compiled=True,
    rss=50 << 20,
    pss=30 << 20,
    cpu=0.25,
    connections=1200,
    handshakes=3,
    totals=Traffic(5000, 6000, 7, 8),
    rates=Traffic(150, 2500, 2048, 1 << 20),
    send_failures=2,
    dropped=1,
    exceptions=4,
    worst_lag=0.012,
)
CHILD = ChildStatus("chat", 0, 11, "ready", 0, "", REPORT)
MASTER = MasterStatus(10, NOW - 90_000, "running", "app.py")


def lines(*children: ChildStatus, width: int | None = None) -> list[str]:
    return command.render(Status(MASTER, children), NOW, width)


def row(line: str) -> list[str]:
    return line.split()


def test_the_first_line_says_how_the_service_fares() -> None:
    assert lines(CHILD)[0] == (
        "app.py: running; 1 of 1 processes accept clients; master 10, up 1d01h; "
        "lineman 0.1.0 (compiled)"
    )


def test_processes_that_take_no_clients_are_not_counted_as_if_they_did() -> None:
    inner = replace(REPORT, worker="chat business", connections=0, handshakes=0)
    business = replace(CHILD, worker="chat business", takes_clients=False, report=inner)
    down = replace(business, slot=1, state="starting")
    text = lines(CHILD, business, down)
    assert "; 1 of 1 processes accept clients, 1 of 2 others are ready; " in text[0]
    assert row(text[4]) == [
        "chat",
        *row(text[4])[1:5],
        "1h01m",
        "25%",
        "30M",
        "12ms",
        "3",
        "4",
        "0",
    ]


def test_figures_that_are_zero_are_left_out() -> None:
    facts = {"gateway_clients": 0, "gateway_uids": 3, "gateway_nodes": 0.0}
    assert (
        lines(replace(CHILD, report=replace(REPORT, facts=facts)))[-1] == "chat #0: gateway uids 3"
    )
    quiet = replace(CHILD, report=replace(REPORT, facts={"gateway_clients": 0}))
    assert lines(quiet) == lines(CHILD)


def test_plain_requests_are_counted_over_the_processes_of_a_worker() -> None:
    children = [replace(CHILD, slot=n, report=replace(REPORT, requests=700)) for n in range(2)]
    assert lines(*children)[-1] == "chat: answered 1.4k plain requests"


def test_a_trouble_is_told_once_and_the_exit_status_says_so() -> None:
    words = "the broker at redis://a is not reached: nobody listens there"
    children = [replace(CHILD, slot=n, report=replace(REPORT, troubles=(words,))) for n in range(2)]
    assert lines(*children).count(f"TROUBLE: chat: {words}") == 1


def test_a_process_is_a_line_of_figures() -> None:
    head, line = lines(CHILD)[2:4]
    assert head.split()[:4] == ["WORKER", "SLOT", "PID", "STATE"]
    assert row(line) == [
        *("chat", "0", "11", "ready", "1h01m", "25%", "30M", "1200", "3"),
        *("150", "2.5k", "2.0K", "1.0M", "5.0k", "6.0k", "12ms", "3", "4", "0"),
    ]


def test_several_processes_have_a_sum() -> None:
    other = replace(CHILD, slot=1, pid=12, restarts=2, report=replace(REPORT, worst_lag=1.5))
    total = lines(CHILD, other)[-1]
    assert row(total) == [
        *("total", "50%", "60M", "2400", "6", "300", "5.0k", "4.0K", "2.0M", "10k", "12k"),
        *("1.5s", "6", "8", "2"),
    ]


def test_a_process_that_does_not_answer_is_busy_and_one_that_is_gone_is_down() -> None:
    busy = replace(CHILD, report=None)
    down = ChildStatus("chat", 1, None, "down", 3, "signal 9 (SIGKILL)")
    text = lines(busy, down)
    assert row(text[3]) == ["chat", "0", "11", "busy", "0"]
    assert row(text[4]) == ["chat", "1", "-", "down", "3"]
    assert text[-1] == "chat #1: restarted 3 times, last because: signal 9 (SIGKILL)"
    once = lines(replace(down, restarts=1))
    assert once[-1] == "chat #1: restarted once, last because: signal 9 (SIGKILL)"


@pytest.mark.parametrize(
    ("expires", "says"),
    [
        (NOW + 38 * DAY, "expires 2027-02-22 08:00 UTC, in 38 days"),
        (NOW + 3 * 3600, "expires 2027-01-15 11:00 UTC, in 3h00m"),
        (NOW - 2 * DAY, "EXPIRED 2027-01-13 08:00 UTC, 2d00h ago"),
    ],
)
def test_a_certificate_says_whose_it_is_and_until_when(expires: float, says: str) -> None:
    names = ("a.example", "b.example", "c.example", "d.example")
    certificate = Certificate("CN=a", names, "0a12", expires, NOW - 60)
    child = replace(CHILD, report=replace(REPORT, certificates=(certificate,)))
    assert lines(child)[-1] == (
        f"chat: certificate for a.example, b.example, c.example and 1 more, serial 0a12, {says}, "
        "loaded 2027-01-15 07:59 UTC"
    )


def test_processes_with_one_certificate_share_a_line_and_another_one_is_seen() -> None:
    old = Certificate("CN=a", ("a",), "01", NOW + 9 * DAY)
    new = Certificate("CN=a", ("a",), "02", NOW + 99 * DAY, error="cannot read a.pem")
    children = [
        replace(CHILD, slot=slot, report=replace(REPORT, certificates=(each,)))
        for slot, each in enumerate([old, old, new])
    ]
    found = [line for line in lines(*children) if "certificate" in line]
    assert len(found) == 2
    assert found[1].endswith("; cannot read a.pem")


def test_of_many_certificates_the_rest_is_counted() -> None:
    child = replace(CHILD, report=replace(REPORT, unlisted=980))
    assert lines(child)[-1] == "chat: and 980 certificates more, which expire later"


def test_names_that_no_certificate_has_are_counted_over_the_processes_of_a_worker() -> None:
    report = replace(REPORT, unknown_names=3)
    children = [replace(CHILD, slot=slot, report=report) for slot in range(2)]
    assert lines(*children)[-1] == "chat: clients asked 6 × for a name that no certificate has"
    assert "no certificate has" not in "".join(lines(CHILD))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_the_table_fits_the_terminal_and_keeps_what_matters_most(width: int) -> None:
    child = replace(CHILD, worker="聊天室-with-a-very-long-name-indeed")
    table = lines(child, replace(child, slot=1), width=width)[2:6]
    for line in table:
        assert width_of(line) <= width
    if width >= 60:
        assert "CONNS" in table[0]
        assert "PID" in table[0]


def test_names_cannot_command_the_terminal() -> None:
    child = replace(CHILD, worker="evil\x1b[2J", restarts=1, last_cause="\x1b]0;x\x07")
    assert "\x1b" not in "\n".join(lines(child))


def test_mixed_builds_are_told() -> None:
    other = replace(CHILD, slot=1, report=replace(REPORT, compiled=False))
    assert "(compiled in 1 of 2)" in lines(CHILD, other)[0]
    assert "(pure Python)" in lines(other)[0]


def test_a_service_without_any_answer_still_has_a_status() -> None:
    assert "0 of 0 processes" in command.render(Status.from_json({}), NOW)[0]


# The command.


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    return parser.parse_args(words)


def reply(*children: ChildStatus) -> Mapping[str, Any]:
    return {
        "master": {"pid": 10, "state": "running", "script": "app.py"},
        "children": [
            {
                **{name: getattr(each, name) for name in ("worker", "slot", "pid", "state")},
                "answer": None if each.report is None else each.report.to_json(),
            }
            for each in children
        ],
    }


def test_json_has_everything_under_stable_names(capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def ask(name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append((name, arguments))
        return reply(CHILD)

    assert command.show(options("--json"), ask) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["master"]["pid"] == 10
    assert told["children"][0]["report"]["totals"]["messages_in"] == 5000
    assert asked == [("status", {"pss": True})]


@pytest.mark.parametrize(
    ("children", "status"),
    [
        ([CHILD], 0),
        ([replace(CHILD, state="starting")], 1),
        ([CHILD, replace(CHILD, slot=1, state="down")], 0),
        ([CHILD, replace(CHILD, worker="push", state="down", report=None)], 1),
        ([], 1),
    ],
)
def test_the_exit_status_says_whether_every_worker_accepts_clients(
    children: list[ChildStatus], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.show(options(), lambda *_: reply(*children)) == status
    assert "app.py: running" in capsys.readouterr().out


def test_limits_that_were_reached_are_told_with_their_names() -> None:
    one = replace(CHILD, report=replace(REPORT, hits={"max_connections": 2}))
    other = replace(
        CHILD, slot=1, report=replace(REPORT, hits={"max_connections": 5, "descriptors": 1})
    )
    assert lines(one, other)[-1] == (
        "chat: limits that were reached: max_connections 7 ×, descriptors 1 ×"
    )
    assert "limits" not in "\n".join(lines(CHILD))


def test_a_drain_is_told_with_how_far_it_is() -> None:
    report = replace(REPORT, drain_total=40, drain_asked=13)
    master = replace(MASTER, state="draining", drain_share=1.0, drain_ends=NOW + 130)
    told = command.render(Status(master, (replace(CHILD, report=report),)), NOW)
    assert told[0].startswith("app.py: draining; 0 of 1 processes accept clients")
    line = "drain: 13 of 40 clients were asked to connect again, the last one in 2m10s"
    assert f"{line}; new ones get 503" in told
    share = replace(master, state="running", drain_share=0.25)
    assert line in command.render(Status(share, (replace(CHILD, report=report),)), NOW)
    over = replace(CHILD, report=replace(report, drain_asked=40))
    assert (
        "drain: 40 of 40 clients were asked to connect again; new ones get 503"
        in command.render(Status(master, (over,)), NOW)
    )
