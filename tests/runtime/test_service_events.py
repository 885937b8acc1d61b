"""What a program hears of reloads and of ended processes, and how it stops the service."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

import pytest

from kit.app import App, MakeApp
from kit.waiting import wait_until
from lineman import Gateway, UsageError, Worker
from lineman.runtime import service_events
from lineman.testing.client import RawClient

PROGRAM = """
    import asyncio, os, threading
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", drain_seconds=0.1, stop_timeout=1)
    hub = Worker(name="hub", reloadable=False, count={hubs})

    def say(*words):
        print(*words, flush=True)

    @worker.on_worker_reload
    def reloading(worker):
        say("reload of chat in", os.getpid())
        {on_reload}

    @hub.on_worker_reload
    async def reread(worker):
        say("reload of hub in", os.getpid())

    @worker.on_worker_exit
    def gone(worker, status, pid):
        say("exit of", pid, "with", status, "in", os.getpid())

    @worker.on_worker_stop
    async def stopped(worker):
        await asyncio.sleep(0.05)
        say("stop in", os.getpid())

    @worker.on_message
    async def obey(connection, message):
        connection.send(str(os.getpid()))
        {then}

    Worker.run_all()
"""


def program(on_reload: str = "", then: str = "", hubs: int = 1) -> str:
    return PROGRAM.format(on_reload=on_reload or "pass", then=then or "pass", hubs=hubs)


def ask(app: App, message: str = "hello") -> int:
    """Sends a message; returns the pid of the process that got it."""
    with RawClient(app.port) as client:
        client.open().send(message)
        return int(str(client.receive()))


def wait_for(app: App, words: str) -> None:
    wait_until(lambda: words in app.output, words)


def test_a_reload_is_told_to_the_process_that_goes_and_to_the_one_that_stays(
    make_app: MakeApp,
) -> None:
    app = make_app(program(hubs=2))
    app.start()
    old = ask(app)
    assert app.run("reload").returncode == 0
    wait_until(lambda: app.output.count("reload of hub in") == 2, "both of the hub are told")
    new = ask(app)
    assert new != old
    wait_for(app, f"exit of {old} with 0 in {new}")
    assert app.output.count(f"reload of chat in {old}") == 1
    assert f"reload of chat in {new}" not in app.output
    assert app.output.index(f"reload of chat in {old}") < app.output.index(f"stop in {old}")


def test_a_reload_that_fails_is_told_to_nobody(make_app: MakeApp) -> None:
    app = make_app(program())
    app.start()
    app.write("1 / 0")
    assert app.run("reload", by_script=False).returncode == 1
    assert ask(app)
    assert "reload of" not in app.output


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("1 / 0", "on_worker_reload raised an exception"),
        ("import sys; sys.exit(3)", "on_worker_reload raised an exception"),
    ],
)
def test_a_failure_of_on_worker_reload_stops_no_reload(
    make_app: MakeApp, fault: str, said: str
) -> None:
    app = make_app(program(fault))
    app.start()
    old = ask(app)
    assert app.run("reload", "-g").returncode == 0
    assert said in app.output
    assert f"stop in {old}" in app.output


def test_an_on_worker_reload_that_never_returns_is_cancelled(make_app: MakeApp) -> None:
    app = make_app(program().replace("def reloading", "async def reloading").replace(
        "os.getpid())\n        pass", "os.getpid())\n        await asyncio.sleep(3600)", 1
    ))  # fmt: skip
    app.start()
    old = ask(app)
    assert app.run("reload", "-g").returncode == 0
    assert "has not returned after 1 s (stop_timeout=), and is cancelled" in app.output
    assert f"stop in {old}" in app.output
    assert "is killed" not in app.output


def test_the_next_process_is_told_of_one_that_was_killed(make_app: MakeApp) -> None:
    die = "message == 'die' and asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), 9)"
    app = make_app(program(then=die))
    app.start()
    old = ask(app, "die")
    wait_for(app, f"exit of {old} with -9 in ")
    new = ask(app)
    assert f"exit of {old} with -9 in {new}" in app.output
    assert "exit of" not in app.output.replace(f"exit of {old}", "", 1)


def test_a_process_may_stop_the_service(make_app: MakeApp) -> None:
    app = make_app(program(then="Worker.stop_all('enough of it')"))
    started = app.start()
    pid = ask(app)
    assert started.process.wait(20) == 0
    assert f"chat (process {pid}) stops the service: enough of it" in app.output
    assert f"stop in {pid}" in app.output


def test_any_thread_may_stop_the_service_and_twice(make_app: MakeApp) -> None:
    stop = "threading.Thread(target=lambda: [Worker.stop_all(graceful=True)] * 2).start()"
    app = make_app(program(then=stop))
    started = app.start()
    ask(app)
    assert started.process.wait(20) == 0
    assert "is killed" not in app.output


def test_a_worker_that_stops_itself_is_replaced(make_app: MakeApp) -> None:
    app = make_app(program(then="await worker.stop(0.2) if message == 'stop' else None"))
    app.start()
    old = ask(app, "stop")
    wait_for(app, f"exit of {old} with 0 in ")
    assert ask(app) != old
    assert app.output.count(f"stop in {old}") == 1
    assert "is replaced: the program has stopped its worker" in app.output


def test_on_worker_start_cannot_stop_its_own_worker(make_app: MakeApp) -> None:
    app = make_app(
        """
        from lineman import Worker
        worker = Worker("ws://127.0.0.1:0")

        @worker.on_worker_start
        async def start(worker):
            await worker.stop()

        Worker.run_all()
        """
    )
    app.start(ready="cannot be stopped before on_worker_start has returned")
    assert app.program is not None
    assert app.program.process.wait(20) == 1


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_events, "ask_to_stop", None)


@pytest.mark.usefixtures("alone")
def test_without_a_master_nothing_stops_the_service() -> None:
    with pytest.raises(UsageError, match=re.escape("`await worker.stop()`")):
        Worker.stop_all()


def test_the_wish_reaches_the_master_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr(service_events, "ask_to_stop", lambda *words: asked.append(words))
    Worker.stop_all("why", graceful=True)
    Worker.stop_all()
    assert asked == [("why", True), ("", False)]


def test_a_failure_is_logged_and_a_cancellation_goes_on(
    caplog: pytest.LogCaptureFixture, no_traces: None
) -> None:
    worker = Worker()
    faults: list[Callable[..., object]] = [lambda: 1 / 0, lambda: exec("raise SystemExit")]

    async def hang(worker: Worker) -> None:
        await asyncio.sleep(3600)

    async def scene() -> None:
        for fault in faults:
            worker.on_worker_exit = fault  # type: ignore[assignment]
            await service_events.tell(worker, "on_worker_exit", 0, 1)
        worker.on_worker_reload = hang
        task = asyncio.ensure_future(service_events.tell(worker, "on_worker_reload"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    assert [record.message for record in caplog.records] == [
        "on_worker_exit raised an exception"
    ] * 2


GATEWAY = """
    import os
    from lineman import Gateway, Worker

    gateway = Gateway("ws://127.0.0.1:0", name="chat", stop_timeout=1)

    @gateway.on_worker_reload
    def reloading(worker):
        print("reload in", os.getpid(), flush=True)

    @gateway.on_worker_exit
    async def gone(worker, status, pid):
        print("exit of", pid, "with", status, flush=True)

    @gateway.on_message
    def obey(client, message):
        client.send(str(os.getpid()))
        if message == "stop":
            Worker.stop_all("over")

    Worker.run_all()
"""


def test_a_gateways_callbacks_hear_of_reloads_and_may_stop_it(make_app: MakeApp) -> None:
    app = make_app(GATEWAY)
    started = app.start()
    old = ask(app)
    assert app.run("reload", "-g").returncode == 0
    wait_for(app, f"exit of {old} with 0")
    assert f"reload in {old}" in app.output
    ask(app, "stop")
    assert started.process.wait(20) == 0
    assert "stops the service: over" in app.output
    assert Gateway.on_worker_exit
