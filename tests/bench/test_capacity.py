"""A short `make capacity`: whether it works, not what it finds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0


def test_the_page_has_the_figures_of_a_whole_run() -> None:
    page = (ROOT / "docs" / "howto" / "plan-capacity.md").read_text(encoding="utf-8")
    assert re.search(r"Measured on 20\d\d-\d\d-\d\d: ", page)
    rows = re.findall(r"^\| [^|]* \| [a-zA-Z ]+ \| ([\d.]+) (?:KiB|µs|% of a core) \|$", page, re.M)
    assert len(rows) == 19


def test_a_program_is_started_and_measured() -> None:
    program = """
import asyncio, sys, tempfile
from pathlib import Path
sys.path.insert(0, "bench")
from capacity import PROGRAM, Sizes, grown, open_all, program, render, speak, spent
sizes = Sizes(0.2, 100, 10)
with tempfile.TemporaryDirectory() as name:
    script = Path(name, "app.py")
    script.write_text(PROGRAM)
    with program("gateway", script) as running:
        url, pids = f"ws://localhost:{running.port}", [running.holder, running.business]
        sizes_of_each = grown(pids, lambda: open_all(url, sizes.idle, "user"))
        costs = spent(pids, lambda: asyncio.run(speak(url, url, sizes)))
    print(render([("a message", "worker", f"{cost:.0f} µs") for cost in costs], sizes))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\| a message \| worker \| \d+ µs \|", done.stdout)) == 2
