"""Metrics and health of real programs, by HTTP."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from kit.looking import Inspected, Run, written
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient


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
    assert app.told("connections")["total"] == 0  # a reader of metrics is not a client


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
def measured(run: Run) -> Callable[..., tuple[Inspected, int]]:
    """Runs a program with metrics; the program and the port of its metrics."""

    def begin(more: str = "", count: int = 1, **options: Any) -> tuple[Inspected, int]:
        (port,) = free_ports(1)
        setting = f'Worker.metrics = "127.0.0.1:{port}"\n    {more}'
        return run(textwrap.dedent(setting), count, **options), port

    return begin


Measured = Callable[..., tuple[Inspected, int]]


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
    # The last report of a process that ended in order counts every message.
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
        with RawClient(port) as client:
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


def test_a_port_for_metrics_that_is_taken_is_told_at_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        script = written(tmp_path, f'Worker.metrics = "127.0.0.1:{port}"')
        done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: address already in use" in done.stderr
