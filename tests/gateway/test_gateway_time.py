"""Jobs and tasks of a `Gateway`: they run in its business workers, and over their reloads."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.app import MakeApp
from kit.program import free_ports
from kit.waiting import wait_until
from lineman import Gateway, UsageError
from lineman.testing.client import RawClient

PROGRAM = """
    import asyncio, os, time
    from lineman import Gateway, Worker

    gateway = Gateway("ws://127.0.0.1:{port}", workers=2, drain_seconds=1, stop_timeout=3)
    journal = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what):
        os.write(journal, f"{{what}} {{os.getpid()}}\\n".encode())

    @gateway.every(0.1, process=0)
    def tick():
        note("tick")
        gateway.send_to_all("tick")

    @gateway.cron("* * * * * *")
    async def cron():
        note("cron")

    async def fails():
        raise ZeroDivisionError("a task of the gateway")

    async def save(client):
        await asyncio.sleep(1)
        gateway.send_to_client(client, "saved")
        note("saved")

    @gateway.on_message
    def message(client, text):
        gateway.spawn(fails())
        gateway.spawn(save(client.id), finish=True)
        note("spawned")

    Worker.run_all()
"""


def test_jobs_and_tasks_run_in_the_business_workers(make_app: MakeApp, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    (port,) = free_ports(1)
    app = make_app(PROGRAM.format(port=port, journal=str(journal)))
    app.start()

    def pids(what: str) -> set[str]:
        return {*re.findall(rf"^{what} (\d+)$", journal.read_text(), re.MULTILINE)}

    with RawClient(port).open("/") as client:
        assert client.receive() == "tick"
        wait_until(lambda: len(pids("cron")) == 2, "each business worker runs the other job")
        assert len(pids("tick")) == 1
        assert pids("tick") < pids("cron")
        client.send("go")
        wait_until(lambda: "ZeroDivisionError: a task of the gateway" in app.output, "it is logged")
        assert "fails raised" in app.output
        assert app.run("reload").returncode == 0
        got = {client.receive() for _ in range(30)}
        while "saved" not in got:  # the old process finishes its task, and reaches its client
            got.add(client.receive())
        wait_until(
            lambda: pids("tick") - pids("cron") or len(pids("tick")) == 2, "the new one runs"
        )


@pytest.mark.usefixtures("no_traces")
def test_mistakes_are_refused_as_those_of_a_worker_are() -> None:
    gateway = Gateway("ws://127.0.0.1:0", name="clockwork")
    with pytest.raises(UsageError, match=r"give a number from 0\.001"):
        gateway.every(0)
    with pytest.raises(UsageError, match="the minute of"):
        gateway.cron("61 * * * *")

    async def work() -> None: ...

    with pytest.raises(UsageError, match="does not run in this process"):
        gateway.spawn(work())


# Named timers; how they are kept is tested in test_named_timers.py.


@pytest.mark.usefixtures("no_traces")
def test_a_timer_has_the_name_of_its_function_or_its_own() -> None:
    gateway = Gateway("ws://127.0.0.1:0", name="clockwork")

    @gateway.timer
    def tick(room: str) -> None: ...

    @gateway.timer("tock")
    async def other() -> None: ...

    assert gateway._timer_functions == {"tick": tick, "tock": other}
    gateway.timer(tick)  # the same one, twice
    with pytest.raises(UsageError, match="two functions are called 'tick'"):
        gateway.timer("tick")(other)
    with pytest.raises(UsageError, match="takes a function"):
        gateway.timer(7)  # type: ignore[call-overload]


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: g.after(1, "tcik", "a"), "no function 'tcik' .* the program has tick"),
        (lambda g: g.after(1, "tick"), "calls tick.* without arguments"),
        (lambda g: g.after(1, print), "as text, because another process calls it: write 'print'"),
        (lambda g: g.every(1, "tick", "a"), "needs key="),
        (lambda g: g.every(1, "tick", "a", key="k", process=0), "are for jobs"),
        (lambda g: g.every(1, key="k"), "is a job, which has no key"),
        (lambda g: g.every(1, "tcik", key="k"), "no function 'tcik'"),
        (lambda g: g.after(1, "tick", "a"), "runs no callbacks"),
        (lambda g: g.cancel_timer("k"), "runs no callbacks"),
    ],
)
def test_mistakes_of_named_timers_are_told_at_once(call: Callable[[Any], Any], words: str) -> None:
    gateway = Gateway("ws://127.0.0.1:0", name="clockwork")

    @gateway.timer
    def tick(room: str) -> None: ...

    with pytest.raises(UsageError, match=words):
        call(gateway)
