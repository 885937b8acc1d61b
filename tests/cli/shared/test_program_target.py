"""Which program a command is about."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pytest

from lineman.cli.shared.program_target import of
from lineman.errors import UsageError


def options(script: Path, pid_file: Path | None = None) -> argparse.Namespace:
    given: dict[str, Any] = {"handoff": None, "script": str(script)}
    return argparse.Namespace(**given, pid_file=None if pid_file is None else str(pid_file))


def test_a_command_names_the_pid_file_if_it_was_given(tmp_path: Path) -> None:
    script = tmp_path / "my app.py"
    assert of(options(script)).command("stop") == f"lineman stop '{script}'"
    placed = of(options(script, tmp_path / "a.pid"))
    assert placed.command("stop") == f"lineman stop '{script}' --pid-file {tmp_path}/a.pid"
    assert placed.pid_file == tmp_path / "a.pid"


def test_a_program_runs_with_the_python_of_the_command(tmp_path: Path) -> None:
    found = of(options(tmp_path / "app.py"))
    assert found.program.command == (sys.executable, str(tmp_path / "app.py"))
    assert found.shown == "app.py"


def test_only_what_is_there_can_be_started(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        of(options(tmp_path / "app.py"), starts=True)
