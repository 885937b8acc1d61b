"""mypy and pyright accept right programs, and report each mistake in wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RIGHT, WRONG = HERE / "right.py", HERE / "wrong.py"


def mypy(tmp_path: Path) -> list[tuple[str, int, str]]:
    """The findings of mypy: file, line and text."""
    words = [sys.executable, "-m", "mypy", "--strict", "--config-file", "/dev/null"]
    words += ["--cache-dir", str(tmp_path), str(RIGHT), str(WRONG)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    found = re.findall(r"^(.*\.py):(\d+): error: (.*)$", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    return [(Path(file).name, int(line), says) for file, line, says in found]


def pyright(tmp_path: Path) -> list[tuple[str, int, str]]:
    """The same of pyright, which comes as `basedpyright`, with all that it needs in its wheel."""
    settings = tmp_path / "pyrightconfig.json"
    include = [str(RIGHT), str(WRONG)]
    settings.write_text(json.dumps({"typeCheckingMode": "standard", "include": include}))
    words = [sys.executable, "-m", "basedpyright", "--outputjson", "-p", str(settings)]
    words += ["--pythonpath", sys.executable]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    return [
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in json.loads(done.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    ]


@pytest.mark.parametrize("checker", [mypy, pyright], ids=lambda each: each.__name__)
def test_right_programs_pass_and_each_mistake_is_found(checker: object, tmp_path: Path) -> None:
    assert callable(checker)
    found = checker(tmp_path)
    assert [each for each in found if each[0] == RIGHT.name] == []
    lines = WRONG.read_text(encoding="utf-8").splitlines()
    mistakes = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(mistakes) > 45
    assert {line for _, line, _ in found} == mistakes
