"""`make bench` as it runs in CI: briefly, and with Lineman alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = Path(__file__).parents[2] / "bench" / "compare.py"
DEADLINE = 120.0


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The comparison without the programs in C, which only some machines have."""
    env = {name: value for name, value in os.environ.items() if name not in ("WSLOAD", "RAWWS")}
    command = [sys.executable, str(COMPARE), *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, env=env, check=False
    )


def test_every_row_works_with_lineman_alone(tmp_path: Path) -> None:
    kept = tmp_path / "samples.json"
    done = run("--short", "--only", "lineman", "--json", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    (found,) = json.loads(kept.read_text())["rounds"]
    http = ["a", "b", "c", "l", "d", "e", "f32", "f8k", "h", "hs", "i"]
    streams = ["text", "text16", "frame", "frame16", "tcp", "tcp16", "udp", "udp16", "tcph"]
    assert [sample["row"] for sample in found] == [*http, *streams, "m", "ms", "mt"]
    assert all(sample["cost"] >= 0 for sample in found)


def test_the_server_in_c_does_every_row_without_http(tmp_path: Path) -> None:
    kept = tmp_path / "samples.json"
    names = "text,text16,frame,frame16,tcp,tcp16,udp,udp16,tcph,mt"
    words = ["--short", "--only", "lineman,stream_echo", "--rows", names, "--seconds", "0.4"]
    done = run(*words, "--json", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(kept.read_text())["rounds"]
    servers = {sample["row"]: set() for sample in found}
    for sample in found:
        servers[sample["row"]].add(sample["server"])
    assert servers == {name: {"lineman", "stream_echo"} for name in names.split(",")}


def test_a_page_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    words = ["--only", "lineman", "--rows", "b", "--rounds", "2", "--seconds", "0.2"]
    done = run(*words, "--output", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    page = path.read_text(encoding="utf-8")
    assert "## CPU time for each message, lineman = 1.0" in page
    assert "Rounds: 2, interleaved" in page
    assert f"make bench ARGS='{' '.join(words)}'" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "apache"], "no server 'apache'; there are lineman, websockets"),
        (["--rows", "z"], "no row 'z'; there are a, b"),
    ],
)
def test_unknown_names_are_refused_with_those_that_exist(words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
