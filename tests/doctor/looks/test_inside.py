"""The facts about a program from inside, while it runs and while it does not."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.app import App, echo
from kit.program import free_ports
from lineman.doctor.looks import inside


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path, echo(count=2), prefix=["prlimit", "--nofile=600:600"])
    yield app
    app.stop()


def test_the_limit_of_files_is_that_of_the_running_processes(app: App) -> None:
    app.start()
    found = inside.machine(app.script)
    assert found.max_files == 600
    assert found.whose_files in app.pids


def test_of_a_program_that_does_not_run_it_is_our_own(app: App) -> None:
    found = inside.machine(app.script)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert found.max_files == (None if hard == resource.RLIM_INFINITY else hard)
    assert found.whose_files == 0


@pytest.mark.parametrize(
    "more", ["", ', trusted_proxies=["127.0.0.1"]', ', trusted_proxies=["127.0.0.1"], HEADER']
)
def test_a_program_that_is_looked_at_has_nothing_to_warn_of(tmp_path: Path, more: str) -> None:
    (port,) = free_ports(1)
    more = more.replace("HEADER", 'real_ip_header="X-Real-IP"')
    text = echo().replace("127.0.0.1:0", f"127.0.0.1:{port}").replace(", count", f"{more}, count")
    app = App(tmp_path, text)
    try:
        program = app.start()
        done = app.run("doctor", by_script=False)
        assert f"worker-running: ws://127.0.0.1:{port} is running" in done.stdout
        url = f"ws://127.0.0.1:{port}/"
        command = [sys.executable, "-m", "lineman", "doctor", url, "--upstream", url]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
        assert f"upstream: {url} answers without the proxy" in told
        app.run("stop")
        program.process.wait(20)
        assert "WARNING" not in app.output
    finally:
        app.stop()


def test_a_look_at_a_worker_of_lines_sends_it_none(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    text = echo().replace("ws://127.0.0.1:0", f"text://127.0.0.1:{port}")
    app = App(tmp_path, text)
    try:
        program = app.start()
        done = app.run("doctor", by_script=False)
        assert f"worker-running: text://127.0.0.1:{port} is running" in done.stdout
        (child,) = app.status()["children"]
        assert child["report"]["totals"]["messages_in"] == 0
        app.run("stop")
        program.process.wait(20)
        assert "HTTP" not in app.output
    finally:
        app.stop()
