"""The run directory of a running program is cleaned: commands find it, and its files return."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.app import App, echo
from kit.processes import children_of
from kit.program import Program, free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.errors import ConfigError
from lineman.process.rundir import claim
from lineman.process.rundir.rundir import PidFile, holder
from lineman.testing.client import RawClient

GATEWAY = """
    import os
    from lineman import Gateway, Worker

    gateway = Gateway("ws://127.0.0.1:{port}", gateways=2, workers=2, redeliver=True)

    @gateway.on_message
    def said(client, message):
        client.send(str(os.getpid()))

    Worker.run_all()
"""


class Cleaned:
    """A program whose run directory is a test's own."""

    def __init__(self, directory: Path, text: str) -> None:
        # As short as a run directory is.
        self.run = Path(tempfile.mkdtemp(prefix="lm-")) / "lineman"
        self.app = App(directory, text)
        self.env = {"RUNTIME_DIRECTORY": str(self.run)}

    def start(self) -> Program:
        return self.app.start(**self.env)

    def command(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lineman", *words, str(self.app.script)]
        environment = {**os.environ, **self.env, **env}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def clean(self) -> None:
        shutil.rmtree(self.run.parent, ignore_errors=True)


@pytest.fixture
def cleaned(tmp_path: Path) -> Iterator[Cleaned]:
    made = Cleaned(tmp_path, echo())
    yield made
    if made.app.program is not None:
        made.app.program.stop()
    made.run.parent.unlink() if made.run.parent.is_file() else made.clean()


def test_commands_find_the_program_whose_directory_is_gone(cleaned: Cleaned) -> None:
    program = cleaned.start()
    master = program.process.pid
    cleaned.clean()
    cleaned.run.parent.touch()  # so that it cannot be made anew either
    assert cleaned.command("status").returncode == 0
    second = cleaned.command("start")
    assert second.returncode == 1
    reloaded = cleaned.command("reload")
    assert reloaded.returncode == 0, reloaded.stderr
    stopped = cleaned.command("stop")
    assert f"is stopped (process {master})" in stopped.stdout, stopped.stderr
    assert program.process.wait(DEADLINE) == 0
    assert "does not run" in cleaned.command("stop").stdout


def test_what_was_removed_is_made_anew(cleaned: Cleaned) -> None:
    program = cleaned.start()
    before = {path.name for path in cleaned.run.iterdir()}
    cleaned.clean()
    cleaned.run.parent.mkdir(mode=0o700)
    second = cleaned.command("start")  # before anything is back
    assert f"it runs already: process {program.process.pid}" in second.stderr
    program.wait_for_line("is created again; see which program removes it")
    wait_until(lambda: {path.name for path in cleaned.run.iterdir()} == before, "all is back")
    (pid_file,) = cleaned.run.glob("*.pid")
    assert holder(pid_file) == program.process.pid
    # One file alone.
    pid_file.unlink()
    wait_until(pid_file.exists, "the pid file is back")
    pid_file.with_suffix(".sock").unlink()
    wait_until(pid_file.with_suffix(".sock").exists, "the control socket is back")
    assert cleaned.command("status").returncode == 0
    assert "is stopped" in cleaned.command("stop").stdout
    assert list(cleaned.run.iterdir()) == []


def test_a_program_that_was_started_in_another_session_is_found(
    cleaned: Cleaned, tmp_path: Path
) -> None:
    cleaned.start()
    elsewhere = tmp_path / "session"
    elsewhere.mkdir(mode=0o700)
    done = cleaned.command("status", RUNTIME_DIRECTORY=str(elsewhere))
    assert done.returncode == 0, done.stderr


def test_a_stranger_who_has_the_name_is_not_believed_and_hinders_nobody(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this test needs root, to be somebody else")
    path = tmp_path / "x.pid"
    name = claim._name(path)
    text = (
        "import os, socket, sys, time; os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
        "s.bind(bytes.fromhex(sys.argv[1])); s.listen(); print(flush=True); time.sleep(60)"
    )
    squatter = subprocess.Popen([sys.executable, "-c", text, name.hex()], stdout=subprocess.PIPE)
    try:
        assert squatter.stdout is not None
        squatter.stdout.readline()
        assert claim.master_of(path) == 0
        assert holder(path) == 0
        held = PidFile.take(path, "x-12345678")
        assert len(held.claims) == 1
        assert holder(path) == os.getpid()
        held.release()
        with socket.socket(socket.AF_UNIX) as end:
            assert not claim.connect(end, path)
    finally:
        squatter.kill()
        squatter.communicate()


def test_who_has_the_name_has_the_program(tmp_path: Path) -> None:
    path = tmp_path / ("a-long-name" * 12) / "x.pid"
    path.parent.mkdir(mode=0o700)
    held = PidFile.take(path, "x-12345678")
    shutil.rmtree(path.parent)
    path.parent.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match=f"it runs already: process {os.getpid()} "):
        PidFile.take(path, "x-12345678")
    assert held.restore() == path
    assert held.restore() is None
    held.release()
    PidFile.take(path, "x-12345678").release()


def test_business_workers_that_crash_afterwards_find_the_gateway_again(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    cleaned = Cleaned(tmp_path, GATEWAY.format(port=port))
    program = cleaned.start()
    try:
        with RawClient(port) as client:
            client.open().send("who?")
            first = int(client.receive())
            cleaned.clean()
            cleaned.run.parent.mkdir(mode=0o700)
            program.wait_for_line("a socket was removed and was created again")
            assert links(cleaned) == {2}  # a worker that is linked does not link again
            for pid in business(program):  # all that hold links of before
                os.kill(pid, signal.SIGKILL)
            client.send("who?")
            second = int(client.receive())
            assert second != first
            wait_until(lambda: links(cleaned) == {2}, "both workers are linked, once")
        assert cleaned.command("stop").returncode == 0
        assert list(cleaned.run.iterdir()) == []
    finally:
        program.stop()
        cleaned.clean()


def test_a_socket_of_clients_that_was_removed_is_told(tmp_path: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="lm-"))
    text = echo().replace("ws://127.0.0.1:0", f"ws+unix://{place}/app.sock")
    cleaned = Cleaned(tmp_path, text)
    program = cleaned.start()
    try:
        (place / "app.sock").unlink()
        (line,) = program.wait_for_line("cannot be created again")
        assert f"the socket {place}/app.sock is gone, and no client can connect" in line
        assert "fix: restart the program" in line
    finally:
        program.stop()
        cleaned.clean()
        place.rmdir()


def links(cleaned: Cleaned) -> set[float]:
    """How many workers each gateway process has links to."""
    found = json.loads(cleaned.command("status", "--json").stdout)
    facts = [(child["report"] or {}).get("facts") or {} for child in found["children"]]
    return {each["gateway_workers_ready"] for each in facts if "gateway_workers_ready" in each}


def business(program: Program) -> list[int]:
    """The processes that listen nowhere and run the callbacks."""
    titled = [f"[{pid}] INFO listening on" for pid in children_of(program.process.pid)]
    listening = {line.split("]")[0][1:] for line in titled if line in program.output}
    return [pid for pid in children_of(program.process.pid) if str(pid) not in listening]
