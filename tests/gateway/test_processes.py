"""A gateway in its real processes: reloads, deaths, and everything in between."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.program import Program, free_ports
from kit.waiting import DEADLINE
from lineman.testing.client import RawClient

APP = Path(__file__).parent / "apps" / "gateway_app.py"


class Service:
    """The program, and its commands."""

    def __init__(self, directory: Path) -> None:
        self.port, self.push_port = free_ports(2)
        self.directory = directory
        self._env = {"XDG_RUNTIME_DIR": str(directory), "RUNTIME_DIRECTORY": str(directory)}
        self._words = [sys.executable, str(APP), str(self.port), str(self.push_port)]
        self.program = Program("gateway_app", [*self._words, "start"], env=self._env)
        self.clients: list[RawClient] = []

    def connect(self) -> RawClient:
        client = RawClient(self.port).open("/")
        self.clients.append(client)
        return client

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [*self._words, *words],
            env={**os.environ, **self._env},
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # Longer than the path of a unix socket may be.
    directory = tmp_path_factory.mktemp("run") / ("a-long-name-" * 12)
    directory.mkdir(mode=0o700)
    service = Service(directory)
    try:
        service.program.wait_for_line("ready:")
        yield service
    finally:
        for client in service.clients:
            client.close()
        service.program.stop()


def ask(client: RawClient, text: str) -> str:
    client.send(text)
    answer = client.receive()
    assert isinstance(answer, str)
    return answer


class Talker:
    """A client that asks and waits for each answer, until it is stopped."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.answers: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def _talk(self) -> None:
        while not self._is_over.is_set():
            self.answers.append(ask(self.client, f"echo {len(self.answers)}"))

    def wait_for_more(self) -> None:
        """Returns once a message that it sends from now on was answered."""
        mark = len(self.answers) + 2
        deadline = time.monotonic() + DEADLINE
        while len(self.answers) < mark and self._thread.is_alive():
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.01)

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        assert self.answers == [f"{number} {number + 1}" for number in range(len(self.answers))]


def pids(service: Service) -> set[tuple[str, int]]:
    """The pids of all processes except those that run the program's code."""
    children = json.loads(service.command("status", "--json"))["children"]
    return {(one["worker"], one["pid"]) for one in children if "business" not in one["worker"]}


def test_clients_and_their_sessions_stay_while_the_code_is_reloaded(service: Service) -> None:
    talkers = [Talker(service.connect()) for _ in range(4)]
    before = {ask(service.connect(), "pid") for _ in range(4)}
    pipelined = service.connect()
    for number in range(60):
        pipelined.send(f"slow {number}")
    for talker in talkers:
        talker.wait_for_more()
    stay = pids(service)
    service.command("reload")
    assert pids(service) == stay
    assert {name for name, _ in stay} == {"gateway", "gateway hub", "gateway push"}
    for talker in talkers:
        talker.wait_for_more()
        talker.stop()
    assert [pipelined.receive() for _ in range(60)] == [str(number) for number in range(60)]
    after = {ask(service.connect(), "pid") for _ in range(4)}
    assert not before & after


def test_members_on_all_gateway_processes_hear_each_other(service: Service) -> None:
    asker = service.connect()
    wanted = int(ask(asker, "count")) + 8  # members of other tests may be in the room already
    members = [service.connect() for _ in range(8)]  # the kernel spreads them over both
    for number, member in enumerate(members):
        assert ask(member, f"in {number}") == "in"
    deadline = time.monotonic() + DEADLINE
    while int(ask(asker, "count")) != wanted:
        assert time.monotonic() < deadline
    seen: set[str] = set()
    # Each process has told the other ones by now, or tells them in this turn: say it until all
    # have heard it once.
    while len(seen) < 8:
        assert time.monotonic() < deadline
        asker.send("room hello")
        seen = set()
        for number, member in enumerate(members):
            member.plain.settimeout(1)
            try:
                while member.receive() != "hello":
                    pass
                seen.add(str(number))
            except TimeoutError:
                pass
            member.plain.settimeout(DEADLINE)


def test_a_killed_worker_is_replaced_and_its_messages_go_to_another(service: Service) -> None:
    client = service.connect()
    pid = int(ask(client, "pid"))
    for number in range(20):
        client.send(f"slow {number}")
    os.kill(pid, signal.SIGKILL)
    answers: list[str] = []
    while not answers or answers[-1] != "19":
        answers.append(str(client.receive()))
    # At least once: an answer that the dead process did not acknowledge may come again.
    answered = {answer for answer in answers if int(answer) < 20}  # `pid` may come again as well
    assert sorted(answered, key=int) == [str(number) for number in range(20)]
    service.program.wait_for_line(f"process {pid}")


def test_other_programs_push_by_command_and_by_http(service: Service) -> None:
    client = service.connect()
    assert ask(client, "in anna") == "in"
    socket = next(service.directory.glob("*.d/gateway-0.sock"))
    words = ["push", f"unix://{socket}", "from a shell", "--uid", "anna"]
    done = subprocess.run(
        [sys.executable, "-m", "lineman", *words], capture_output=True, text=True, check=True
    )
    assert (done.stdout, client.receive()) == ("sent\n", "from a shell")
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.push_port}/push",
        json.dumps({"uid": "anna", "message": "by HTTP"}).encode(),
        {"Authorization": "Bearer a token for the tests"},
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        assert answer.status == 202
    assert client.receive() == "by HTTP"


def test_the_hub_may_die(service: Service) -> None:
    status = service.command("status", "--json")
    pid = int(re.search(r'"gateway hub".*?"pid": (\d+)', status, re.DOTALL)[1])  # type: ignore[index]
    reached = len(service.program.wait_for_line("the broker is reached"))
    client = service.connect()
    os.kill(pid, signal.SIGKILL)
    assert ask(client, "echo still") == "still 1"
    service.program.wait_for_line("the broker is reached", count=reached + 2)


@pytest.mark.parametrize("by_command", [True, False])
def test_a_stop_in_order_is_nothing_to_warn_of(tmp_path: Path, by_command: bool) -> None:
    service = Service(tmp_path)
    try:
        service.program.wait_for_line("ready: ")
        with service.connect() as client:
            client.send("echo hello")
            client.receive()
            service.program.wait_for_line("the broker is reached", count=2)
            if by_command:
                service.command("stop")
            else:
                service.program.process.send_signal(signal.SIGTERM)
            service.program.process.wait(DEADLINE)
    finally:
        service.program.stop()
    assert not re.search("WARNING|ERROR|is gone", service.program.output), service.program.output


def test_a_callback_that_raises_is_counted_in_status(service: Service) -> None:
    def counted() -> int:
        told = json.loads(service.command("status", "--json"))
        return sum((child["report"] or {}).get("exceptions", 0) for child in told["children"])

    before = counted()
    client = service.connect()
    client.send("raise it")
    assert client.receive_close().code == 1011
    assert counted() == before + 1
