"""The guide to tests, and the reference: their tests pass, and fail for a broken program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "test-a-program.md"


def outcome(directory: Path, program: str, test: str) -> subprocess.CompletedProcess[str]:
    (directory / "chat.py").write_text(program, encoding="utf-8")
    (directory / "test_chat.py").write_text(test, encoding="utf-8")
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio",
        "test_chat.py",
    ]  # fmt: skip
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)


def test_the_test_of_the_guide_passes_and_finds_a_broken_program(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program, test = blocks[0], blocks[1]
    done = outcome(tmp_path, program, test)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    broken = program.replace('f"{client.uid}: {message}"', "message")
    assert broken != program
    assert "1 failed, 1 passed" in outcome(tmp_path, broken, test).stdout


def test_the_test_without_asyncio_passes_too_and_finds_a_broken_program(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program, test = blocks[0], blocks[2]
    done = outcome(tmp_path, program, test)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    broken = program.replace('f"{client.uid}: {message}"', "message")
    assert "1 failed" in outcome(tmp_path, broken, test).stdout


def test_the_test_of_the_reference_passes_and_finds_a_broken_program(tmp_path: Path) -> None:
    page = PAGE.parents[1] / "reference" / "testing.md"
    test = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[0]
    done = outcome(tmp_path, "", test)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    broken = test.replace('f"you said {message}"', "message")
    assert "2 failed" in outcome(tmp_path, "", broken).stdout
