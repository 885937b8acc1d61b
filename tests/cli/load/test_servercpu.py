"""Reading a process' CPU time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineman.cli.load import servercpu
from lineman.cli.load.servercpu import CpuReading
from lineman.errors import ConfigError

TICKS = os.sysconf("SC_CLK_TCK")


def process(proc: Path, pid: int, user: int, system: int, *threads: str | None) -> None:
    """A process as /proc shows it."""
    folder = proc / str(pid)
    folder.mkdir()
    fields = ["S", *["0"] * 10, str(user), str(system), *["0"] * 30]
    (folder / "stat").write_text(f"{pid} (a (very) odd name) {' '.join(fields)}\n")
    for number, schedstat in enumerate(threads):
        task = folder / "task" / str(number)
        task.mkdir(parents=True)
        if schedstat is not None:
            (task / "schedstat").write_text(schedstat)


def test_all_threads_of_all_processes_count(tmp_path: Path) -> None:
    process(tmp_path, 10, 3 * TICKS, TICKS, "1000000000 5 1\n", "500000000 5 1\n")
    process(tmp_path, 11, TICKS, 0, "250000000 5 1\n")
    reading = servercpu.read([10, 11], tmp_path)
    assert reading == CpuReading(exact=1.75, user=4.0, system=1.0)


def test_a_kernel_that_does_not_count_nanoseconds_leaves_the_ticks(tmp_path: Path) -> None:
    process(tmp_path, 10, 0, 0, None, "")
    before = servercpu.read([10], tmp_path)
    used = before.until(CpuReading(exact=0.0, user=3.0, system=1.0))
    assert (used.seconds, used.user_share) == (4.0, 0.75)


def test_what_was_used_is_the_difference(tmp_path: Path) -> None:
    used = CpuReading(1.0, 5.0, 5.0).until(CpuReading(1.5, 5.1, 5.3))
    assert used.seconds == 0.5
    assert used.user_share == pytest.approx(0.25)


def test_too_short_for_a_tick_there_is_no_share() -> None:
    assert CpuReading(1.0, 5.0, 5.0).until(CpuReading(1.001, 5.0, 5.0)).user_share is None


def test_a_process_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no process 10"):
        servercpu.read([10], tmp_path)


def test_our_own_process_has_used_some() -> None:
    assert servercpu.read([os.getpid()]).user > 0
