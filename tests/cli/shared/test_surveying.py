"""A program that is read up to the point where it would serve."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineman import Worker
from lineman.cli.shared.surveying import NONE, neighbour, survey, workers_of
from lineman.errors import ConfigError


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    """Where a program stands; `write` puts one there."""
    yield tmp_path / "app.py"
    sys.modules.pop("beside_the_program", None)  # else it counts as a changed file of this process


def write(app: Path, text: str) -> Path:
    app.write_text(textwrap.dedent(text))
    return app


def test_a_program_is_run_as_if_it_were_started(app: Path) -> None:
    (app.parent / "beside_the_program.py").write_text("ADDRESS = 'ws://127.0.0.1:1'")
    write(
        app,
        """
        import asyncio, sys
        from beside_the_program import ADDRESS
        from lineman import Worker
        assert sys.argv == [__file__] and __name__ == "__main__"
        worker = Worker(ADDRESS)
        asyncio.run(worker.start())
        """,
    )
    path, arguments = list(sys.path), list(sys.argv)
    (worker,), _ = workers_of(app)
    assert worker.address == "ws://127.0.0.1:1"
    assert (sys.path, sys.argv) == (path, arguments)
    assert Worker.run_all.__module__ == Worker.start.__module__ == "lineman.worker"
    with pytest.raises(ConfigError, match="there is no program"):
        workers_of(app.parent)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "makes no Worker"),
        ("raise SystemExit(3)", "ended with status 3 before it came to its workers"),
        ("1 / 0", "cannot be read: ZeroDivisionError: division by zero"),
    ],
)
def test_a_program_that_comes_to_no_worker_says_why(app: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        workers_of(write(app, text))


def test_the_line_that_sends_to_the_clients_of_one_process_is_told(app: Path) -> None:
    write(
        app,
        """
        from lineman import Worker
        worker = Worker("ws://127.0.0.1:1")
        worker.on_message = lambda connection, message: worker.broadcast(message)
        Worker.run_all()
        """,
    )
    found = survey(app, *workers_of(app), NONE)
    assert (found.sends_to_all, found.reaches) == (4, "run_all")
    [worker] = found.workers
    assert [each.url for each in worker.addresses] == ["ws://127.0.0.1:1"]
    assert worker.fault == ""


def test_a_worker_that_cannot_start_is_told_with_the_remedy(app: Path) -> None:
    write(app, 'from lineman import Worker\nWorker("ws://127.0.0.1:1", backlog=0)\n')
    [worker] = survey(app, *workers_of(app), NONE).workers
    assert "backlog is 0" in worker.fault
    assert worker.fix == "give more than 0"


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("LocalHost", "127.0.0.1"), ("10.0.0.5", "10.0.0.5")],
)
def test_a_proxy_on_the_same_machine_reaches_a_worker_at(host: str, address: str) -> None:
    assert neighbour(host) == address
