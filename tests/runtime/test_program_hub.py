"""Events and shared values between real processes: reloads, a hub that is killed, and Redis."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.app import App, MakeApp
from kit.brokers import redis_server
from kit.waiting import wait_until
from lineman import Worker
from lineman.runtime import program_hub
from lineman.testing.client import RawClient

PROGRAM = """
    import os
    from lineman import Shared, Worker

    Worker.broker = {broker!r}
    worker = Worker("ws://127.0.0.1:0", name="chat", count={count}, drain_seconds=0.2)
    shared = Shared()

    @worker.on_event("said")
    def said(data):
        print("got", data, "in", os.getpid(), flush=True)

    @worker.on_message
    async def take(connection, message):
        if message == "who":
            connection.send(str(os.getpid()))
        else:
            number = await shared.increment("number")
            worker.broadcast(f"{{number}} {{message}}", everywhere=True)
            worker.publish("said", message)

    Worker.run_all()
"""


def program(count: int = 3, broker: str | None = None) -> str:
    return PROGRAM.format(count=count, broker=broker)


def clients_of_all(app: App, count: int, stack: ExitStack) -> list[RawClient]:
    """A client of each process."""
    found: dict[str, RawClient] = {}
    for _ in range(500):
        client = stack.enter_context(RawClient(app.port))
        client.open().send("who")
        found.setdefault(str(client.receive_message()), client)
        if len(found) == count:
            return list(found.values())
    raise AssertionError(f"clients reach {len(found)} of {count} processes")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def got(app: App, clients: list[RawClient]) -> set[int]:
    """How many events the processes of these clients have got."""
    counts = set()
    for client in clients:
        client.send("who")
        counts.add(app.output.split("\n").count(f"got hello in {client.receive_message()}"))
    return counts


def have_come_back(app: App, count: int) -> bool:
    """Whether the last that processes have logged of the hub is that they reach it again."""
    last: dict[str, bool] = {}
    for line in app.output.split("\n"):
        if "reach the other processes" in line:
            last[line.split("[")[1].split("]")[0]] = "again" in line
    return list(last.values()) == [True] * count


def pid_of(app: App, title: str) -> int:
    rows = [each for each in app.status()["children"] if each["worker"] == title]
    return int(rows[0]["pid"])


def test_every_client_of_every_process_gets_it_once_also_over_a_reload(
    make_app: MakeApp, stack: ExitStack
) -> None:
    app = make_app(program())
    app.start()
    for reload in range(2):
        clients = clients_of_all(app, 3, stack)
        for client in clients:
            client.send("hello")
        for client in clients:
            heard = sorted(str(client.receive_message()) for _ in clients)
            assert heard == [f"{3 * reload + n} hello" for n in (1, 2, 3)]
        wait_until(lambda all=clients: got(app, all) == {3}, "each process gets each event once")
        if not reload:
            assert app.run("reload", by_script=False).returncode == 0
    assert "reach the clients of one process alone" not in app.output
    assert "WARNING" not in app.output


def test_a_hub_that_is_killed_is_started_again_and_what_it_kept_is_gone(
    make_app: MakeApp, stack: ExitStack
) -> None:
    app = make_app(program(count=2))
    app.start()
    one, other = clients_of_all(app, 2, stack)
    one.send("hello")
    assert (one.receive_message(), other.receive_message()) == ("1 hello", "1 hello")
    os.kill(pid_of(app, "hub"), signal.SIGKILL)
    wait_until(lambda: have_come_back(app, 2), "the processes reach each other again")
    one.send("again")
    assert (one.receive_message(), other.receive_message()) == ("1 again", "1 again")


def test_with_redis_two_programs_of_one_name_are_one_and_no_hub_runs(
    make_app: MakeApp, stack: ExitStack, tmp_path: Path
) -> None:
    server = redis_server(tmp_path)
    server.start()
    stack.callback(server.stop)
    folder = tmp_path / "second"
    folder.mkdir()
    text = program(count=1, broker=f"redis://127.0.0.1:{server.port}")
    first, second = make_app(text), App(folder, text)
    stack.callback(second.stop)
    first.start()
    second.start()
    (one,), (other,) = clients_of_all(first, 1, stack), clients_of_all(second, 1, stack)
    one.send("hello")
    assert (one.receive_message(), other.receive_message()) == ("1 hello", "1 hello")
    other.send("back")
    assert (one.receive_message(), other.receive_message()) == ("2 back", "2 back")
    assert "hub" not in first.run("status", by_script=False).stdout


def test_a_program_with_another_broker_has_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("ws://127.0.0.1:0", user="nobody")
    found = program_hub.options(worker)
    assert found is not None
    assert (found["user"], found["reloadable"]) == ("nobody", False)
    monkeypatch.setattr(Worker, "broker", "redis://127.0.0.1", raising=False)
    assert program_hub.options(worker) is None
