"""Commands whose standard output is closed, full, or limited to ASCII."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.app import App, environment
from kit.waiting import DEADLINE
from lineman.testing.certificates import TestCA

NAMED = """
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="聊天", drain_seconds=0.1)
    worker.on_message = lambda connection, message: None
    Worker.run_all()
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = App(tmp_path_factory.mktemp("é"), NAMED)
    app.start()
    yield app
    app.stop()


def give(redirections: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of `lineman`, with the shell's redirections."""
    command = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "lineman"]
    return subprocess.run(
        [*command, *words],
        capture_output=True,
        encoding="utf-8",
        timeout=2 * DEADLINE,
        env=environment(PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0"),
    )


def reports(app: App, certificate: str) -> list[list[str]]:
    script = str(app.script)
    return [
        ["--version"],
        ["--help"],
        ["connect", "--help"],
        ["status", script],
        ["status", "--json", script],
        ["connections", script],
        ["cert", "check", certificate],
        ["proxy", "nginx", script, "--domain", "é.example"],
        ["doctor", "ws://127.0.0.1:1/"],
    ]


@pytest.mark.parametrize("number", range(9))
def test_what_ascii_does_not_have_is_escaped(app: App, tmp_path: Path, number: int) -> None:
    certificate = str(TestCA(tmp_path).issue(["localhost"]).cert)
    done = give("", *reports(app, certificate)[number])
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr
    assert (done.stdout + done.stderr).isascii()
    if "status" in reports(app, certificate)[number]:
        assert "\\u804a" in done.stdout


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 7, 8])
def test_a_report_that_cannot_be_written_says_so_and_fails(
    app: App, tmp_path: Path, number: int
) -> None:
    certificate = str(TestCA(tmp_path).issue(["localhost"]).cert)
    words = reports(app, certificate)[number]
    done = give(">/dev/full", *words)
    said = "lineman: cannot write to standard output: no space left on device\n"
    if words[0] in ("proxy", "doctor"):  # such commands may print more, or have nothing to print
        assert "Traceback" not in done.stderr
    else:
        assert done.stderr == said
    assert done.returncode == 1
    # If both are closed, no message can be shown.
    assert give("<&- >&- 2>&-", *words).returncode == give("", *words).returncode
    assert give(">/dev/full 2>/dev/full", *words).returncode == 1


@pytest.mark.parametrize("redirections", [">/dev/full", ">/dev/full 2>/dev/full", "<&- >&- 2>&-"])
def test_a_command_that_does_something_does_it_though_nobody_can_be_told(
    tmp_path: Path, redirections: str
) -> None:
    app = App(tmp_path, NAMED)
    script = str(app.script)
    try:
        assert give(redirections, "start", "-d", script).returncode == 0
        assert give("", "status", script).returncode == 0
        assert give(redirections, "reload", script).returncode == 0
        assert give(redirections, "restart", "-d", script).returncode == 0
        assert give("", "status", script).returncode == 0
        assert give(redirections, "stop", script).returncode == 0
        assert give("", "status", script).returncode == 3
    finally:
        app.stop()


def test_a_reader_who_has_enough_is_told_nothing() -> None:
    done = give("| true", "--help")
    assert done.stderr == ""
