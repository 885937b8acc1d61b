"""`make bench-apps`, `make bench-clients`, `make bench-layers`: briefly, with Lineman alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.parametrize(
    ("program", "rows"),
    [
        ("compare_apps.py", ["a request, µs", "a message, 16 in flight, µs", "an idle websocket"]),
        ("compare_clients.py", ["1 connection, 1 in flight", "20 connections, 16 in flight"]),
        ("compare_layers.py", ["group_send, to another process", "send, to a channel of another"]),
    ],
)
def test_every_row_works_with_lineman_alone(program: str, rows: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / program), "--short"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for row in rows:
        assert f"| {row}" in done.stdout
