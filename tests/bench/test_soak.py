"""A short `make soak`: whether it works, not what it finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"
DEADLINE = 120.0


def test_a_part_of_it_prints_figures_beside_their_limits() -> None:
    words = ["--scheme", "wss", "--part", "large", "--large", "20", "--quiet", "0"]
    command = [sys.executable, str(SOAK), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.stderr == ""
    assert "20 idle connections: " in done.stdout
    assert "after 64 KiB there and back: " in done.stdout
    assert ("TOO MUCH" in done.stdout) == (done.returncode == 1)  # of so few it may be
