"""`status`, `connections`, `top`, metrics and the log of real programs."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kit.processes import children_of, has_open
from kit.program import Program, free_ports
from kit.screen import Screen
from kit.waiting import DEADLINE, wait_until
from lineman.testing.certificates import TestCA
from lineman.testing.client import Client

ECHO = """
    import os, time
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:{port}", name="chat", count={count}, drain_seconds=0.1)

    @worker.on_message
    def reply(connection, message):
        while message == "hang" and not os.path.exists("gate"):
            time.sleep(0.02)
        if message == "raise":
            raise RuntimeError("no such room")
        if message == "raise another":
            raise ValueError("no such name")
        connection.send(str(os.getpid()))

    {more}
    Worker.run_all()
"""


class App:
    """A program, the commands that look into it, and its clients."""

    def __init__(self, script: Path, port: int, stack: ExitStack) -> None:
        self.script = script
        self.port = port
        self.stack = stack
        self.program = Program("app.py", [sys.executable, script], cwd=script.parent)
        stack.callback(self.program.stop)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, self.script, *words], capture_output=True, text=True, timeout=DEADLINE
        )

    def told(self, *words: str) -> dict[str, Any]:
        done = self.command(*words, "--json")
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @property
    def pids(self) -> list[int]:
        """The processes of the program: the master and its children."""
        master = self.program.process.pid
        return [master, *children_of(master)]

    def client(self) -> Client:
        return self.stack.enter_context(Client(self.port)).open()


Run = Callable[..., App]


def written(folder: Path, more: str = "", count: int = 1, port: int = 0) -> Path:
    """The program as a file."""
    script = folder / "app.py"
    script.write_text(textwrap.dedent(ECHO).format(count=count, more=more, port=port))
    return script


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs a program until the end of the test; returns when it is ready."""
    with ExitStack() as stack:

        def begin(more: str = "", count: int = 1, *, ready: str = "ready: ") -> App:
            (port,) = free_ports(1)
            app = App(written(tmp_path, more, count, port), port, stack)
            if ready:
                app.program.wait_for_line(ready)
            return app

        yield begin


# status and connections.


def test_status_tells_of_every_process(run: Run) -> None:
    app = run(count=2)
    client = app.client()
    client.send("hello")
    pid = int(client.receive_message())
    told = app.told("status")
    assert told["master"]["pid"] == app.program.process.pid
    assert told["master"]["state"] == "running"
    reports = {child["pid"]: child["report"] for child in told["children"]}
    assert len(reports) == 2
    assert reports[pid]["connections"] == 1
    assert reports[pid]["totals"]["messages_in"] == 1
    assert sum(report["connections"] for report in reports.values()) == 1
    done = app.command("status")
    assert done.returncode == 0
    assert "app.py: running; 2 of 2 processes accept clients" in done.stdout


def test_connections_are_listed_and_filtered(run: Run) -> None:
    app = run(count=2)
    clients = [app.client() for _ in range(5)]
    told = app.told("connections", "--sort", "id", "--limit", "3")
    assert (len(told["rows"]), told["matching"], told["total"]) == (3, 5, 5)
    clients[0].send("hello")
    pid = int(clients[0].receive_message())
    (busiest,) = app.told("connections", "--sort", "messages", "--limit", "1")["rows"]
    assert (busiest["pid"], busiest["messages_in"], busiest["worker"]) == (pid, 1, "chat")
    assert app.told("connections", "--ip", "10.0.0.0/8")["matching"] == 0
    assert app.told("connections", "--pid", str(pid))["matching"] >= 1
    done = app.command("connections", "--worker", "nix")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no worker 'nix'; there are chat" in done.stderr
    text = app.command("connections").stdout
    assert f"127.0.0.1:{clients[0].address[1]} " in text
    assert "5 of 5 connections" in text


def test_a_program_that_does_not_run_is_told_with_exit_status_3(run: Run) -> None:
    app = run()
    app.program.stop()
    for command in ("status", "connections"):
        done = app.command(command)
        assert done.returncode == 3
        assert "app.py does not run" in done.stderr
        assert "fix: python app.py start" in done.stderr


def test_options_that_make_no_sense_are_told_with_exit_status_2(run: Run) -> None:
    app = run()
    done = app.command("connections", "--ip", "localhost")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'localhost' is no address or network" in done.stderr


def test_a_process_that_hangs_is_busy_and_the_others_are_told(run: Run) -> None:
    app = run(count=2)
    client = app.client()
    client.send("hang")
    told = app.told("status")
    busy = [child for child in told["children"] if child["report"] is None]
    assert len(busy) == 1
    assert busy[0]["state"] == "ready"
    done = app.command("connections")
    assert done.returncode == 1
    assert f"not of the processes {busy[0]['pid']}: busy" in done.stdout
    (app.script.parent / "gate").touch()
    assert client.receive_message() == str(busy[0]["pid"])


def test_a_reader_of_the_table_that_has_enough_does_not_hurt(run: Run) -> None:
    app = run()
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(app.script), "status", "--json"]
    with open(writer, "wb") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""


def test_top_goes_on_while_the_service_restarts_underneath(run: Run, tmp_path: Path) -> None:
    app = run()
    screen = Screen([sys.executable, app.script, "top", "--interval", "0.1"])
    try:
        screen.wait_for("app.py: running")
        app.program.stop()
        screen.wait_for("trying again")
        again = run()
        screen.wait_for("app.py: running")
        screen.wait_for(f"master {again.program.process.pid}")
        screen.press("q")
        assert screen.ended() == 0
    finally:
        screen.close()


def test_the_certificate_is_told_by_status_and_by_the_metrics(run: Run, tmp_path: Path) -> None:
    pair = TestCA(tmp_path).issue(["chat.example", "localhost"])
    (port,) = free_ports(1)
    more = f"""
    worker.transport = "ssl"
    worker.cert, worker.key = "{pair.cert}", "{pair.key}"
    Worker.metrics = "127.0.0.1:{port}"
    """
    app = run(textwrap.dedent(more))
    (certificate,) = app.told("status")["children"][0]["report"]["certificates"]
    assert certificate["names"] == ["chat.example", "localhost"]
    name = 'lineman_certificate_expiry_timestamp_seconds{name="chat.example",worker="chat"}'
    assert metric(port, name) == certificate["expires"] > time.time()
    assert "chat: certificate for chat.example, localhost, serial " in app.command("status").stdout
    assert app.told("connections")["total"] == 0  # who reads metrics is no client


# Metrics and health.


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metric(port: int, name: str) -> float:
    status, text = get(port, "/metrics")
    assert status == 200
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if re.match(rf"{re.escape(name)}[ {{]", line) or line.startswith(f"{name} ")
    )


@pytest.fixture
def measured(run: Run) -> Callable[..., tuple[App, int]]:
    """Runs a program with metrics; the program and the port of its metrics."""

    def begin(more: str = "", count: int = 1, **options: Any) -> tuple[App, int]:
        (port,) = free_ports(1)
        setting = f'Worker.metrics = "127.0.0.1:{port}"\n    {more}'
        return run(textwrap.dedent(setting), count, **options), port

    return begin


Measured = Callable[..., tuple[App, int]]


def test_counters_go_on_when_a_process_is_killed_and_when_all_are_replaced(
    measured: Measured,
) -> None:
    app, port = measured()
    client = app.client()
    for _ in range(3):
        client.send("hello")
    pids = {int(client.receive_message()) for _ in range(3)}
    assert metric(port, "lineman_messages_received_total") == 3
    assert metric(port, "lineman_connections") == 1
    os.kill(pids.pop(), signal.SIGKILL)
    wait_until(lambda: metric(port, "lineman_process_restarts_total") == 1, "it is replaced")
    wait_until(lambda: get(port, "/readyz")[0] == 200, "the new one is ready")
    assert metric(port, "lineman_messages_received_total") == 3
    client = app.client()
    client.send("hello")
    client.receive_message()
    done = app.command("reload", "-g")
    assert done.returncode == 0, done.stderr
    assert metric(port, "lineman_messages_received_total") == 4
    # The last words of a process that ended in order are counted to the last message.
    assert metric(port, 'lineman_closes_total{cause="service_restart",worker="chat"}') == 1


def test_a_service_is_ready_when_its_processes_are_and_no_more_when_it_stops(
    measured: Measured, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    slow = f"""
@worker.on_worker_start
async def wait():
    import asyncio
    from pathlib import Path
    while not Path({str(gate)!r}).exists():
        await asyncio.sleep(0.02)
"""
    app, port = measured(slow, ready="listening on ")
    assert get(port, "/healthz") == (200, "alive\n")
    assert get(port, "/readyz") == (503, "the service is starting\n")
    gate.touch()
    wait_until(lambda: get(port, "/readyz") == (200, "ready\n"), "ready")
    client = app.client()
    stopping = subprocess.Popen([sys.executable, app.script, "stop", "-g"])
    client.receive_close()  # and does not answer: the process waits for it
    assert get(port, "/readyz") == (503, "the service is stopping\n")
    client.send_close(1001)
    client.close()
    assert stopping.wait(DEADLINE) == 0


def test_whoever_is_slow_or_asks_for_something_else_hurts_nobody(measured: Measured) -> None:
    _, port = measured()
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(50)
        ]
        idle[0].sendall(b"GET /metrics HTT")
        assert get(port, "/readyz")[0] == 200
        assert get(port, "/readyz", "HEAD") == (200, "")
        assert get(port, "/metrics", "POST")[0] == 405
        assert get(port, "/")[0] == 404
        assert get(port, "/" + "x" * 10_000)[0] == 431
        with Client(port) as client:
            assert client.handshake("/metrics").status == 404


def test_the_process_behind_the_metrics_is_replaced_and_the_service_goes_on(
    measured: Measured,
) -> None:
    app, port = measured()
    client = app.client()
    client.send("hello")
    client.receive_message()
    before = metric(port, "lineman_messages_received_total")
    (exporter,) = [
        child["pid"]
        for child in app.told("status")["children"]
        if child["worker"] == "lineman metrics"
    ]
    os.kill(exporter, signal.SIGKILL)

    def is_back() -> bool:
        try:
            return metric(port, "lineman_messages_received_total") == before
        except OSError:
            return False

    wait_until(is_back, "the metrics are back, none lost")
    client.send("hello")
    client.receive_message()


def test_metrics_without_the_library_are_refused_with_the_command_that_mends_it(
    run: Run, tmp_path: Path
) -> None:
    more = 'Worker.metrics = "127.0.0.1:0"; import sys; sys.modules["prometheus_client"] = None'
    script = written(tmp_path, more)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "prometheus-client is not installed; fix: " in done.stderr
    assert "-m pip install prometheus-client" in done.stderr


@pytest.mark.parametrize("wrong", ["9100", "127.0.0.1", "http://127.0.0.1:9100", ""])
def test_an_address_for_metrics_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    script = written(tmp_path, f"Worker.metrics = {wrong!r}")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"metrics is {wrong!r}; fix: give an address" in done.stderr


def test_a_port_for_metrics_that_is_taken_is_told_at_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        script = written(tmp_path, f'Worker.metrics = "127.0.0.1:{port}"')
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: address already in use" in done.stderr


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
