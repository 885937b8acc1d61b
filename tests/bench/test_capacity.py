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


def test_a_message_to_another_node_is_measured_in_each_process() -> None:
    """The dearest part; the others are made of the same steps."""
    program = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, "bench")
from capacity import PROGRAM, Sizes, measure_nodes, render
sizes = Sizes(0.5, 200, 10)
with tempfile.TemporaryDirectory() as name:
    script = Path(name, "app.py")
    script.write_text(PROGRAM)
    print(render(measure_nodes(script, sizes), sizes))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for process in ("gateway process of the sender", "business worker", "Redis"):
        assert re.search(rf"\| {process} \| \d+ µs \|", done.stdout), done.stdout
