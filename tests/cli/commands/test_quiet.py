"""`-q`: commands print nothing when they succeed, and say everything when they fail."""

from __future__ import annotations

import pytest

from kit.app import MakeApp, echo
from kit.waiting import wait_until
from lineman.testing.client import RawClient

PROGRAM = """
    import logging
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", stop_timeout=1)

    @worker.on_worker_start
    def started(worker):
        logging.getLogger("app").info("an info")
        logging.getLogger("app").warning("port %d", worker.port)

    Worker.run_all()
"""


@pytest.mark.parametrize("by_script", [True, False])
def test_what_succeeds_prints_nothing(make_app: MakeApp, by_script: bool) -> None:
    app = make_app(echo(drain=0))
    words = (("start", "-d"), ("reload",), ("restart", "-d"), ("stop",), ("stop",))
    for each in words:
        done = app.run(*each, "-q", by_script=by_script)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), each


def test_what_fails_says_why(make_app: MakeApp) -> None:
    app = make_app(echo())
    done = app.run("reload", "-q")
    assert done.returncode == 1
    assert "does not run" in done.stderr
    app.write("1 / 0")
    done = app.run("start", "-d", "--quiet", by_script=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_service_in_the_foreground_logs_warnings_and_errors_alone(make_app: MakeApp) -> None:
    app = make_app(PROGRAM)
    app.start("-q", ready="WARNING app: port ")
    port = int(app.output.rpartition("port ")[2])

    def serves() -> bool:
        with RawClient(port) as client:
            client.open()
        return True

    wait_until(serves, "it serves")
    app.stop()
    assert "WARNING app: port " in app.output
    assert "\n" not in app.output  # not even `ready` and `stopping`
