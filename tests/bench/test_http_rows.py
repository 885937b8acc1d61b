"""`make bench-http` as it runs in CI: briefly, and with Lineman alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "compare_http.py"


def test_requests_files_and_events_work_with_lineman_alone() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH), "--short"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for row in ("a request, µs ", "a file of 100 MiB, ms ", "128 B to 100 clients, µs "):
        assert f"| {row}" in done.stdout
