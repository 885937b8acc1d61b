"""The findings about a program, from its facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lineman.base.finding import Level
from lineman.doctor.checks.program_inside import judge
from lineman.doctor.facts import Outcome
from lineman.doctor.program_facts import Machine, ProgramFacts, WorkerFacts
from lineman.doctor.report import exit_status

GOOD = WorkerFacts(
    "chat",
    url="wss://0.0.0.0:8443",
    host="0.0.0.0",
    port=8443,
    is_tls=True,
    listening=Outcome.DONE,
    speaks_tls=True,
    served="aa",
    on_disk="aa",
)
BEHIND = WorkerFacts(
    "chat",
    url="ws://127.0.0.1:8282",
    host="127.0.0.1",
    port=8282,
    trusts_proxies=True,
    listening=Outcome.DONE,
    speaks_tls=False,
)
LINES = WorkerFacts(
    "lines",
    url="text://0.0.0.0:25",
    host="0.0.0.0",
    port=25,
    trusts_proxies=True,
    listening=Outcome.DONE,
)
MACHINE = Machine(max_files=65535, somaxconn=4096, ports=28232)

E, W, INFO = Level.ERROR, Level.WARNING, Level.INFO

WORKERS: list[tuple[WorkerFacts, dict[str, Any], Level, str]] = [
    (GOOD, {"fault": "no certificate", "fix": "give one"}, E, "worker-cannot-start"),
    (GOOD, {"listening": Outcome.REFUSED, "speaks_tls": None}, E, "worker-not-running"),
    (GOOD, {"speaks_tls": False, "served": ""}, E, "worker-other-program"),
    (BEHIND, {"speaks_tls": True}, E, "worker-other-program"),
    (GOOD, {"served": "bb"}, E, "cert-served-differs"),
    (GOOD, {"host": "127.0.0.1"}, W, "worker-loopback-only"),
    (BEHIND, {"host": "0.0.0.0"}, W, "worker-open-without-tls"),
    (LINES, {}, W, "worker-open-without-tls"),
    (LINES, {"starts_tls": True}, INFO, "worker-starts-tls"),
    (BEHIND, {"trusts_proxies": False}, INFO, "real-ip-untrusted"),
    (BEHIND, {"trusts_proxies": False, "path": "/a", "port": 0}, W, "real-ip-untrusted"),
    (BEHIND, {"real_ip_header": "x-real-ip"}, INFO, "real-ip-by-x-real-ip"),
    (GOOD, {"count": 4}, INFO, "processes-without-gateway"),
    (GOOD, {"ping_interval": 0}, W, "no-server-ping"),
    (GOOD, {"ping_interval": 60}, W, "no-server-ping"),
]


def test_what_the_program_says_itself_is_passed_on_with_its_fix() -> None:
    said = (
        "chat: the broker at redis://…@a:6379 is not reached: it demands a password; fix: write it"
    )
    found = judge(ProgramFacts("app.py", (GOOD,), MACHINE, troubles=(said,)))[0]
    assert (found.level, found.name, found.fix) == (E, "worker-in-trouble", "write it")
    assert "redis://…@a:6379" in found.seen


@pytest.mark.parametrize(("worker", "change", "level", "name"), WORKERS)
def test_one_thing_wrong_with_a_worker(
    worker: WorkerFacts, change: dict[str, Any], level: Level, name: str
) -> None:
    facts = ProgramFacts("app.py", (replace(worker, **change),), MACHINE)
    found = [each for each in judge(facts) if each.level is not Level.OK]
    assert [(each.level, each.name) for each in found] == [(level, name)]
    assert found[0].fix


def test_a_try_on_this_machine_is_asked_about_a_proxy_and_not_told_of_one() -> None:
    tried = replace(BEHIND, trusts_proxies=False)
    found = judge(ProgramFacts("app.py", (tried,), MACHINE))
    assert exit_status(found) == 0
    (asked,) = [each for each in found if each.name == "real-ip-untrusted"]
    assert "is it behind a proxy?" in asked.seen
    assert asked.fix.startswith("behind a proxy: ")


def test_nothing_of_http_is_said_of_a_worker_without_it() -> None:
    for changes in (
        {"url": "text://127.0.0.1:8282", "trusts_proxies": False, "ping_interval": 0.0},
        {"url": "frame://0.0.0.0:8282", "host": "0.0.0.0"},
        {"url": "tcp+tls://127.0.0.1:8282", "is_tls": True, "speaks_tls": True},
        {"url": "text+unix:///a", "path": "/a", "port": 0, "trusts_proxies": False},
    ):
        worker = replace(BEHIND, **changes)  # type: ignore[arg-type]
        for each in judge(ProgramFacts("app.py", (worker,), MACHINE)):
            said = f"{each.seen} {each.fix}"
            assert "ws://" not in said
            assert "wss://" not in said
            assert "real_ip" not in said
            assert "nginx" not in said


@pytest.mark.parametrize("worker", [GOOD, BEHIND])
def test_a_healthy_program_has_nothing_to_be_told(worker: WorkerFacts) -> None:
    found = judge(ProgramFacts("app.py", (worker,), MACHINE))
    assert {each.level for each in found} == {Level.OK}


@pytest.mark.parametrize(
    ("change", "level", "name"),
    [
        ({"max_files": 2048}, W, "file-limit"),
        ({"somaxconn": 128}, W, "backlog-limit"),
        ({"ports": 5000}, W, "port-range"),
    ],
)
def test_a_limit_of_the_machine(change: dict[str, Any], level: Level, name: str) -> None:
    found = judge(ProgramFacts("app.py", (BEHIND,), replace(MACHINE, **change)))
    assert (found[0].level, found[0].name) == (level, name)


@pytest.mark.parametrize(("pid", "words"), [(0, "a process may"), (4711, "process 4711 may")])
def test_whose_limit_it_is_is_told(pid: int, words: str) -> None:
    machine = replace(MACHINE, max_files=1024, whose_files=pid)
    found = judge(ProgramFacts("app.py", (GOOD,), machine))[0]
    assert found.seen.startswith(words)


def test_a_gateway_reaches_every_process_and_its_business_worker_listens_nowhere() -> None:
    business = WorkerFacts("chat business")
    gateway = replace(GOOD, count=4, has_gateway=True)
    facts = ProgramFacts("app.py", (gateway, business), MACHINE, sends_to_all=3)
    assert {each.level for each in judge(facts)} == {Level.OK}


def test_a_low_port_is_for_root() -> None:
    worker = replace(GOOD, port=443, listening=Outcome.REFUSED)
    found = judge(ProgramFacts("app.py", (worker,), replace(MACHINE, user=1000)))
    assert [each.name for each in found][:2] == ["port-not-allowed", "worker-not-running"]
    found = judge(ProgramFacts("app.py", (worker,), MACHINE))
    assert "port-not-allowed" not in [each.name for each in found]


def test_a_broadcast_in_several_processes_is_a_warning() -> None:
    facts = ProgramFacts("app.py", (replace(GOOD, count=2),), MACHINE, sends_to_all=7)
    found = judge(facts)[0]
    assert found.level is Level.WARNING
    assert "line 7 of app.py" in found.seen
