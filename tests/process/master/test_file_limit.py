"""The limit of open files: raised as far as possible, with a warning if it stays low."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kit.app import App


def test_the_limit_of_open_files_is_raised_and_told_where_it_is_low(app: App) -> None:
    low = ["prlimit", "--nofile=200:500", sys.executable, str(app.script), "start", "-d"]
    done = subprocess.run(low, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    (child,) = app.status()["children"]
    limits = Path(f"/proc/{child['pid']}/limits").read_text()
    assert "Max open files            500                  500" in limits
    log = next(line for line in done.stdout.splitlines() if line.startswith("log: "))
    assert "may open only 500 files" in Path(log.removeprefix("log: ")).read_text()
