"""`lineman config`, and programs whose options come from a file and from the environment."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from kit.app import MakeApp
from kit.waiting import wait_until
from lineman.cli import main as command

PROGRAM = """
    from lineman import Gateway, Worker

    Worker.log_level = "WARNING"
    worker = Worker("ws://127.0.0.1:0", name="chat", passphrase="hush")
    worker.count = 1
    gateway = Gateway("ws://127.0.0.1:0", name="rooms", broker="redis://me:hush@127.0.0.1")
    gateway.on_message = lambda client, message: None
    Worker.run_all()
"""


def write(directory: Path, text: str, settings: str = "") -> Path:
    script = directory / "app.py"
    script.write_text(textwrap.dedent(text))
    if settings:
        (directory / "lineman.toml").write_text(textwrap.dedent(settings))
    return script


def run(*words: str | Path) -> int:
    return command.main(["config", *map(str, words)])


def test_it_shows_each_value_and_where_it_comes_from(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = write(tmp_path, PROGRAM, "[worker.chat]\ncount = 2\n[gateway]\nworkers = 3\n")
    monkeypatch.setenv("LINEMAN_ROOMS__SECRET", "hush-hush-hush-hush")
    monkeypatch.setenv("LINEMAN_PING_INTERVAL", "20")
    assert run(script, "--json") == 0
    out, err = capfd.readouterr()
    assert not err
    assert "hush" not in out
    found = {
        (row["service"], row["option"]): (row["value"], row["source"]) for row in json.loads(out)
    }
    assert found["program", "log_level"] == ("'WARNING'", "the code")
    assert found["worker chat", "count"] == ("2", "lineman.toml [worker.chat]")
    assert found["worker chat", "passphrase"] == ("(hidden)", "the code")
    assert found["gateway rooms", "workers"] == ("3", "lineman.toml [gateway]")
    assert found["gateway rooms", "secret"] == ("(hidden)", "LINEMAN_ROOMS__SECRET")
    assert found["gateway rooms", "broker"] == ("'redis://me:***@127.0.0.1'", "the code")
    assert found["worker chat", "ping_interval"] == ("20", "LINEMAN_PING_INTERVAL")
    assert ("worker chat", "backlog") not in found
    assert {service for service, _ in found} == {"program", "worker chat", "gateway rooms"}


def test_it_shows_defaults_if_asked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = write(tmp_path, PROGRAM)
    assert run(script, "--all") == 0
    out = capfd.readouterr().out
    assert "\nworker chat\n" in out
    backlog = next(line for line in out.splitlines() if line.startswith("  backlog"))
    assert backlog.split() == ["backlog", "4096", "default"]


def test_a_setting_that_cannot_work_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(write(tmp_path, PROGRAM, "[worker.caht]\ncount = 2\n")) == 1
    assert "lineman.toml has [worker.caht], and the program has no" in capfd.readouterr().err
    assert run(write(tmp_path, PROGRAM, "[worker]\ncert = 'a.pem'\n")) == 1
    assert "a certificate is given, but ws://127.0.0.1:0 speaks plain ws" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("metrics = 9100", "program: metrics is 9100; fix: give an address"),
        ("log_level = 'LOUD'", "program: log_level is 'LOUD'"),
        ("log_keep = 'x'", "program: log_keep is 'x'"),
        ("signals = 'unix'", "program: signals is 'unix'"),
    ],
)
def test_a_setting_of_the_program_that_cannot_work_is_told_below_the_values(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], setting: str, says: str
) -> None:
    assert run(write(tmp_path, SERVING, f"[program]\n{setting}\n")) == 1
    out = capfd.readouterr().out
    assert says in out
    assert "lineman.toml [program]" in out


SERVING = """
    import os
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", drain_seconds=0.1, stop_timeout=2)
    worker.on_message = lambda connection, message: connection.send(str(worker.max_message_size))
    Worker.run_all()
"""


def test_a_program_starts_with_its_settings_and_reads_them_again_at_a_reload(
    make_app: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / "lineman.toml").write_text("[worker]\ncount = 2\n")
    app = make_app(SERVING)
    app.start(LINEMAN_CHAT__DRAIN_SECONDS="0.05")
    assert "ready: 2 processes" in app.output
    (tmp_path / "lineman.toml").write_text("[worker]\ncount = 0\n")
    done = app.run("reload", by_script=False)
    assert done.returncode == 1
    assert "lineman.toml [worker]: count is 0" in done.stderr
    (tmp_path / "lineman.toml").write_text("[worker]\ncount = 1\n")
    assert app.run("reload", by_script=False).returncode == 0
    wait_until(lambda: len(app.status()["children"]) == 1, "one process is left")


@pytest.mark.parametrize("by_script", [True, False])
def test_a_program_with_wrong_settings_does_not_start(
    make_app: MakeApp, tmp_path: Path, by_script: bool
) -> None:
    (tmp_path / "lineman.toml").write_text("[worker.chat]\ncuont = 2\n")
    done = make_app(SERVING).run("start", by_script=by_script)
    assert done.returncode == 1
    assert "lineman.toml [worker.chat] has 'cuont'; fix: did you mean count?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("broker = 'foo'", "'foo…' is no broker's address"),
        ("broker = 'embedded'\nservice_name = [1]", "service_name is [1]"),
    ],
)
@pytest.mark.parametrize("by_script", [True, False])
def test_a_program_with_a_wrong_broker_does_not_start(
    make_app: MakeApp, tmp_path: Path, by_script: bool, setting: str, says: str
) -> None:
    (tmp_path / "lineman.toml").write_text(f"[program]\n{setting}\n")
    done = make_app(SERVING).run("start", by_script=by_script)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
