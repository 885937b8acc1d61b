"""Each example prints what the session in a terminal beside it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit import terminal
from kit.databases import Postgres
from kit.terminal import Terminal
from lineman.testing.certificates import TestCA
from lineman_site import examples

ROOT = Path(__file__).parents[2]
PORTS = [8282, 8283, 8443, 5678, 7000, 9000, 5000, 5432, 6379, 9100]
NAMES = examples.listed(ROOT)
SESSIONS = sorted((ROOT / "docs" / "examples").glob("*.txt"))


def test_every_example_has_its_session() -> None:
    assert {examples.session_of(ROOT, name) for name in NAMES} == {*SESSIONS}


@pytest.mark.parametrize("path", SESSIONS, ids=lambda path: path.stem)
def test_an_example_prints_what_its_session_says(path: Path, tmp_path: Path) -> None:
    directory = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", directory, ignore=shutil.ignore_patterns("__pycache__"))
    TestCA(directory).issue(["localhost", "127.0.0.1"])
    shell = Terminal(directory, PORTS, directory.rglob("*.py"))
    steps = terminal.parse(path.read_text(encoding="utf-8"))
    needs_database = any(":5432/" in step.command for step in steps)
    postgres = Postgres(shell.port(5432)) if needs_database else None
    try:
        if postgres is not None:
            postgres.start()
        for step in steps:
            printed = shell.run(step.command)
            assert terminal.fits(step.output, printed), f"$ {step.command}\n{printed}"
    finally:
        shell.close()
        commands = "\n".join(step.command for step in steps)
        for program in re.findall(r"python (\S+) start -d", commands):
            command = [sys.executable, program, "stop"]
            subprocess.run(command, cwd=directory, capture_output=True, check=False)
        if postgres is not None:
            postgres.remove()


@pytest.mark.parametrize(
    ("told", "printed", "is_right"),
    [
        ("a … c", "a b c\n", True),
        ("a … c", "a b\n", False),
        ("a\n…\nc", "a\nb\nb\nc", True),
        ("a\n…", "b\n", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_an_output_is_compared_with_what_is_told(told: str, printed: str, is_right: bool) -> None:
    assert terminal.fits(told, printed) is is_right


def test_a_session_is_read_as_steps() -> None:
    steps = terminal.parse("$ one\na\nb\n$ two \\\n> more\n$ three\n")
    assert [each.command for each in steps] == ["one", "two \\\nmore", "three"]
    assert [each.output for each in steps] == ["a\nb", "", ""]
