"""`on_master_reload` and `on_master_stop` of real programs."""

from __future__ import annotations

import signal

import pytest

from kit.app import App, MakeApp
from kit.waiting import wait_until

PROGRAM = """
    import asyncio, os, sys, time
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", count=2, drain_seconds=0, stop_timeout=1)

    @Worker.on_master_reload
    def reloading():
        print("reload in", os.getpid(), "after", os.getppid())
        {on_reload}

    @Worker.on_master_stop
    async def over():
        print("stop in", os.getpid())
        {on_stop}

    @worker.on_worker_stop
    def stopped(worker):
        print("worker stop", flush=True)

    Worker.run_all()
"""


def program(on_reload: str = "pass", on_stop: str = "pass") -> str:
    return PROGRAM.format(on_reload=on_reload, on_stop=on_stop)


def ended(app: App) -> int:
    assert app.program is not None
    return app.program.process.wait(20)


def test_each_is_called_once_in_a_process_of_its_own(make_app: MakeApp) -> None:
    app = make_app(program())
    app.start()
    assert app.run("reload").returncode == 0
    assert app.output.count("reload in") == 1
    assert "stop in" not in app.output
    assert app.run("stop").returncode == 0
    assert ended(app) == 0
    assert app.output.count("stop in") == 1
    assert app.output.rindex("worker stop") < app.output.index("stop in")
    children = {str(pid) for pid in app.pids}
    for line in app.output.splitlines():
        if "reload in" in line or " stop in" in line:
            assert line.split(" in ")[1].split()[0] not in children


@pytest.mark.parametrize("fault", ["1 / 0", "sys.exit(7)", "os._exit(7)"])
def test_a_failure_is_logged_and_the_service_stops(make_app: MakeApp, fault: str) -> None:
    app = make_app(program(on_stop=fault))
    app.start()
    assert app.run("stop").returncode == 0
    assert ended(app) == 0
    assert "ERROR on_master_stop" in app.output


def test_a_failure_of_on_master_reload_stops_no_reload(make_app: MakeApp) -> None:
    app = make_app(program(on_reload="1 / 0"))
    app.start()
    assert app.run("reload").returncode == 0
    assert "ERROR on_master_reload raised ZeroDivisionError" in app.output
    app.stop()


def test_a_program_that_is_broken_by_then_is_stopped_and_the_log_says_so(make_app: MakeApp) -> None:
    app = make_app(program())
    app.start()
    app.write("def broken(")
    assert app.run("stop", by_script=False).returncode == 0
    assert ended(app) == 0
    assert "on_master_stop was not called, or has failed: " in app.output


def test_an_order_to_end_at_once_does_not_wait_for_it(make_app: MakeApp) -> None:
    hang = "open(__file__ + '.begun', 'w').close(); await asyncio.sleep(3600)"
    app = make_app(program(on_stop=hang))
    started = app.start()
    started.signal(signal.SIGTERM)
    wait_until(app.script.with_name("app.py.begun").exists, "on_master_stop has begun")
    assert started.process.poll() is None
    started.signal(signal.SIGQUIT)
    assert ended(app) == 0  # no process of the service had to be killed
    assert "stop in" not in app.output


def test_without_the_callback_no_process_is_started(make_app: MakeApp) -> None:
    app = make_app(
        """
        from lineman import Worker
        print("loaded", flush=True)
        Worker("ws://127.0.0.1:0")
        Worker.run_all()
        """
    )
    app.start()
    assert app.run("stop", by_script=False).returncode == 0
    assert ended(app) == 0
    assert app.output.count("loaded") == 2  # by hand, and in its one process
