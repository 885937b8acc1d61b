"""The log of real programs: renamed, full, and of a daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from kit.looking import Run, written
from kit.processes import has_open
from kit.waiting import DEADLINE, wait_until

# The log.


def test_the_log_is_a_file_that_may_be_renamed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    app = run(f'Worker.log_file = "{path}"; Worker.log_format = "json"', 2, ready="")
    wait_until(lambda: path.exists() and "ready: 2" in path.read_text(), "it is ready")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {line["level"] for line in lines} == {"INFO"}
    assert {(line.get("worker"), line.get("slot")) for line in lines} == {
        (None, None),
        ("chat", 0),
        ("chat", 1),
    }
    old = tmp_path / "app.log.1"
    path.rename(old)
    app.program.signal(signal.SIGUSR1)
    wait_until(
        lambda: path.exists() and not any(has_open(pid, old) for pid in app.pids),
        "all have the new file",
    )
    client = app.client()
    client.send("raise")
    assert client.receive_close().code == 1011
    wait_until(lambda: "no such room" in path.read_text(), "the failure is in the new file")
    (failure,) = (json.loads(line) for line in path.read_text().splitlines() if "no such" in line)
    assert failure["worker"] == "chat"
    assert failure["exception"].endswith("RuntimeError: no such room")
    assert "no such room" not in old.read_text()


def test_a_log_that_cannot_be_written_does_not_stop_the_service(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    path = folder / "app.log"
    app = run(f'Worker.log_file = "{path}"', ready="")
    wait_until(lambda: path.exists() and "ready: 1" in path.read_text(), "it is ready")
    client = app.client()
    shutil.rmtree(folder)
    app.program.signal(signal.SIGUSR1)
    app.program.wait_for_line(f"cannot write the log {path}: no such file or directory", count=2)
    for _ in range(2):  # the second client still finds the service alive
        client.send("raise")
        assert client.receive_close().code == 1011
        client = app.client()
    app.program.wait_for_line("RuntimeError: no such room")
    app.program.wait_for_line("RuntimeError at")  # the same one again is counted
    folder.mkdir()
    app.program.signal(signal.SIGUSR1)

    wait_until(lambda: path.exists() and all(has_open(pid, path) for pid in app.pids), "it is open")
    client = app.client()
    client.send("raise another")  # of which no line was left out so far
    client.receive_close()
    wait_until(lambda: "ValueError: no such name" in path.read_text(), "it goes on")
    assert "lines are missing here: no such file or directory" in path.read_text()


def test_a_daemon_logs_to_its_file_and_follows_it(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    script = written(tmp_path, 'worker.on_worker_start = lambda: print("printed", flush=True)')
    command = [sys.executable, script]
    started = subprocess.run(
        [*command, "start", "-d", "--log", path], capture_output=True, text=True, timeout=DEADLINE
    )
    try:
        assert started.returncode == 0, started.stderr
        wait_until(lambda: "printed" in path.read_text(), "what it prints is in it")
        old = tmp_path / "app.log.1"
        path.rename(old)
        told = subprocess.run([*command, "status", "--json"], capture_output=True, text=True)
        assert told.stdout, told.stderr
        status = json.loads(told.stdout)
        os.kill(status["master"]["pid"], signal.SIGUSR1)
        wait_until(path.exists, "a new file")
        os.kill(status["children"][0]["pid"], signal.SIGKILL)
        # A new process prints to the new file, and says there that it listens.
        said = ("listening on", "printed", "it is restarted")  # it comes by two ways
        wait_until(lambda: all(each in path.read_text() for each in said), "it is in it")
    finally:
        stopped = subprocess.run([*command, "stop"], capture_output=True, timeout=DEADLINE)
        assert stopped.returncode == 0
