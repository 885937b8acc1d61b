"""A broker that is never reached, or is used with another secret: every report shows it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.brokers import Server, redis_server
from kit.program import Program, free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.testing.client import RawClient

APP = Path(__file__).parent / "apps" / "node_app.py"


class Machine:
    """One machine of a service."""

    def __init__(self, directory: Path, broker: str, **env: str) -> None:
        self.port, metrics = free_ports(2)
        self.health = f"http://127.0.0.1:{metrics}/readyz"
        directory.mkdir(mode=0o700, exist_ok=True)
        self._env = {
            "XDG_RUNTIME_DIR": str(directory),
            "RUNTIME_DIRECTORY": str(directory),
            "METRICS": f"127.0.0.1:{metrics}",
            **env,
        }
        self._words = [sys.executable, str(APP), "127.0.0.1", str(self.port), broker]
        self.program = Program("node_app", [*self._words, "start"], env=self._env)

    def status(self) -> subprocess.CompletedProcess[str]:
        return self._run(*self._words, "status")

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self._env}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)

    def ready(self, query: str = "") -> int:
        try:
            with urllib.request.urlopen(self.health + query, timeout=DEADLINE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@contextmanager
def machine(directory: Path, broker: str, **env: str) -> Iterator[Machine]:
    made = Machine(directory, broker, **env)
    try:
        made.program.wait_for_line("ready: ")
        yield made
    finally:
        made.program.stop()


@contextmanager
def nats_server() -> Iterator[Server]:
    def words(port: int) -> list[str]:
        return ["-a", "127.0.0.1", "-p", str(port), "--user", "me", "--pass", "ge/he#im"]

    server = Server("nats-server", words, "Server is ready")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    server = redis_server(tmp_path, "--requirepass", "ge/he#im")
    server.start()
    yield server
    server.stop()


def told(made: Machine, cause: str) -> None:
    """Fails unless every report shows it, and none shows the password."""
    (line,) = made.program.wait_for_line("is not reached, only clients of this process")
    assert " WARNING " in line
    assert cause in line
    status = made.status()
    assert status.returncode == 1
    assert "TROUBLE: gateway: the broker at" in status.stdout
    assert cause in status.stdout
    assert made.ready() == 200  # it takes clients
    assert made.ready("?broker") == 503
    assert "he#im" not in made.program.output + status.stdout


def test_nobody_listens_and_then_somebody_does(tmp_path: Path) -> None:
    server = redis_server(tmp_path)
    server.port = free_ports(1)[0]
    with machine(tmp_path / "run", f"redis://127.0.0.1:{server.port}") as made:
        told(made, "nothing listens there")
        server.start()
        try:
            made.program.wait_for_line("the broker is reached")
            assert made.status().returncode == 0
            wait_until(lambda: made.ready("?broker") == 200, "health checks see it")
        finally:
            server.stop()
        made.program.wait_for_line("the broker is cut off")
        assert made.status().returncode == 1


@pytest.mark.parametrize("login", ["", ":wrong@"])
def test_a_wrong_password_of_redis(tmp_path: Path, redis: Server, login: str) -> None:
    with machine(tmp_path / "run", f"redis://{login}127.0.0.1:{redis.port}") as made:
        told(made, "it refuses the login" if login else "it demands a password")


@pytest.mark.parametrize("login", ["", "me:wrong@"])
def test_a_wrong_password_of_nats(tmp_path: Path, login: str) -> None:
    with (
        nats_server() as server,
        machine(tmp_path / "run", f"nats://{login}127.0.0.1:{server.port}") as made,
    ):
        told(made, "it refuses the login")


def test_a_password_with_any_character_works_when_it_is_encoded(
    tmp_path: Path, redis: Server
) -> None:
    with machine(tmp_path / "a", f"redis://:ge%2Fhe%23im@127.0.0.1:{redis.port}") as made:
        made.program.wait_for_line("the broker is reached")
    with (
        nats_server() as server,
        machine(tmp_path / "b", f"nats://me:ge%2Fhe%23im@127.0.0.1:{server.port}") as made,
    ):
        made.program.wait_for_line("the broker is reached")


def test_a_name_that_is_unknown_and_one_that_takes_and_says_nothing(tmp_path: Path) -> None:
    with machine(tmp_path / "a", "redis://no-such.invalid:6379") as made:
        told(made, "the host's name is not known")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        machine(tmp_path / "b", f"redis://127.0.0.1:{silent.getsockname()[1]}") as made,
    ):
        told(made, "not answer")


def test_a_process_that_stops_does_not_tell_of_a_broker_that_it_never_reached(
    tmp_path: Path,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        machine(tmp_path / "a", f"redis://127.0.0.1:{silent.getsockname()[1]}") as made,
        RawClient(made.port) as client,
    ):
        client.open()  # and does not answer the close frame: the stop takes stop_timeout
        made.program.process.send_signal(signal.SIGTERM)
        assert made.program.process.wait(DEADLINE) == 0
        made.program.wait_for_line("stopped")
        stopping = made.program.output.partition("INFO stopping")[2]
        assert "stopped" in stopping
        assert "the broker" not in stopping


def test_a_machine_with_another_secret_is_told(tmp_path: Path) -> None:
    server = redis_server(tmp_path)
    server.start()
    try:
        url = f"redis://127.0.0.1:{server.port}"
        other = {"SECRET": "another secret of the tests"}
        with machine(tmp_path / "a", url) as made, machine(tmp_path / "b", url, **other):
            wait_until(lambda: made.status().returncode == 1, "status shows it")
            assert "not signed with this service's secret" in made.status().stdout
            assert made.ready("?broker") == 503
            found = json.loads(made._run(*made._words, "status", "--json").stdout)
            assert any((each["report"] or {}).get("troubles") for each in found["children"])
    finally:
        server.stop()
