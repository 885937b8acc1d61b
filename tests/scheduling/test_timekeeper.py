"""Jobs over reloads and crashes of real processes: none runs twice, and none is left out."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.app import App, MakeApp
from kit.waiting import wait_until

# Each job writes a line with one call of the system, so that lines of two processes do not mix.
PROGRAM = """
    import asyncio, os, time
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", count={count}, drain_seconds={drain}, stop_timeout=5)
    journal = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what):
        line = f"{{what}} {{worker.id}} {{os.getpid()}} {{time.monotonic()}} {{time.time()}}\\n"
        os.write(journal, line.encode())

    @worker.every(0.2)
    def each():
        note("each")

    @worker.every(0.2, process=0)
    def only():
        note("only")

    @worker.cron("* * * * * *", process=0)
    async def cron():
        note("cron")

    {more}

    Worker.run_all()
"""


class Line(NamedTuple):
    what: str
    process: int
    pid: int
    running: float
    wall: float


class Journal:
    """A program with jobs, and what they have written."""

    def __init__(
        self, make_app: MakeApp, folder: Path, *, count: int = 2, drain: float = 1, more: str = ""
    ) -> None:
        self.path = folder / "journal"
        indented = more.replace("\n", "\n    ")
        text = PROGRAM.format(journal=str(self.path), count=count, drain=drain, more=indented)
        self.app: App = make_app(text)
        self.app.start()

    def lines(self, what: str = "") -> list[Line]:
        words = [each.split() for each in self.path.read_text().splitlines()]
        found = [Line(w[0], int(w[1]), int(w[2]), float(w[3]), float(w[4])) for w in words]
        return [each for each in found if what in ("", each.what)]

    def wait_for(self, what: str, count: int) -> None:
        """Waits for more lines of a job."""
        before = len(self.lines(what))
        wait_until(lambda: len(self.lines(what)) >= before + count, f"{count} more of {what}")


@pytest.fixture
def journal(make_app: MakeApp, tmp_path: Path) -> Journal:
    journal = Journal(make_app, tmp_path)
    journal.wait_for("each", 4)
    return journal


def check(journal: Journal) -> None:
    """No job has run more often than it was due, and no two processes have shared one."""
    for what, seconds in (("each", 0.2), ("only", 0.2), ("cron", 1.0)):
        by_process = defaultdict(list)
        for line in journal.lines(what):
            by_process[line.process].append(line)
        for lines in by_process.values():
            for first, before in enumerate(lines):
                for last, after in enumerate(lines[first:]):
                    # A run may be late, but no later than the next one is due.
                    assert last * seconds <= after.running - before.running + seconds + 0.05, what
            # A process that is replaced never runs beside the next one.
            pids = [line.pid for line in lines]
            changes = sum(before != after for before, after in pairwise(pids))
            assert changes == len(set(pids)) - 1


def left_out(journal: Journal) -> bool:
    """Whether the log says that a busy machine was late: then runs may be missing."""
    return "left out" in journal.app.output


def test_over_reloads_no_job_runs_twice_and_none_is_left_out(journal: Journal) -> None:
    for _ in range(3):
        assert journal.app.run("reload").returncode == 0
        journal.wait_for("each", 8)
    journal.wait_for("cron", 2)
    check(journal)
    assert len({line.pid for line in journal.lines("each")}) == 8
    assert {line.process for line in journal.lines("only")} == {0}
    seconds = [int(line.wall) for line in journal.lines("cron")]
    if not left_out(journal):
        assert seconds == list(range(seconds[0], seconds[-1] + 1))


def test_a_process_that_dies_is_followed_by_one_that_runs_its_jobs(journal: Journal) -> None:
    for _ in range(2):
        (pid, *_) = {line.pid for line in journal.lines("only")[-1:]}
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: journal.lines("only")[-1].pid != pid, "the next one runs them")
    check(journal)
    assert {line.process for line in journal.lines("only")} == {0}


SLOW = """
@worker.every(0.3, process=0, finish=True)
async def long():
    note("begins")
    await asyncio.sleep(2)
    note("ends")

async def work():
    try:
        await asyncio.sleep(60)
    finally:
        note("cut")

async def save():
    await asyncio.sleep(1)
    note("saved")

@worker.on_worker_start
def start():
    worker.spawn(work())

@worker.on_worker_stop
async def stop():
    note("stopped")
"""


def test_a_run_that_may_finish_goes_on_in_the_old_process_and_never_overlaps(
    make_app: MakeApp, tmp_path: Path
) -> None:
    journal = Journal(make_app, tmp_path, count=1, drain=2, more=SLOW)
    journal.wait_for("begins", 1)
    old = journal.lines("begins")[0].pid
    assert journal.app.run("reload").returncode == 0
    journal.wait_for("each", 5)  # of the new process; other jobs do not wait for the long one
    assert journal.lines("each")[-1].pid != old
    journal.wait_for("begins", 2)
    story = [(line.what, line.pid) for line in journal.lines() if line.what in ("begins", "ends")]
    for place in range(0, len(story) - 1, 2):
        assert story[place][0] == "begins"
        assert story[place + 1] == ("ends", story[place][1])
    wait_until(lambda: any(line.pid == old for line in journal.lines("stopped")), "it has stopped")
    told = [line.what for line in journal.lines() if line.pid == old and line.what != "each"]
    assert "cut" in told
    assert told[-1] == "stopped"
    assert "stops its tasks: work" in journal.app.output
    check(journal)


def test_a_reload_that_fails_leaves_the_time_where_it_is(journal: Journal) -> None:
    journal.app.write("import lineman\nraise SystemExit('a mistake')\n")
    assert journal.app.run("reload").returncode != 0
    journal.wait_for("only", 3)
    assert len({line.pid for line in journal.lines("only")}) == 1
    check(journal)


def test_the_number_of_processes_may_change(journal: Journal) -> None:
    text = journal.app.script.read_text().replace("count=2", "count=1")
    journal.app.write(text)
    assert journal.app.run("reload").returncode == 0
    journal.wait_for("only", 3)
    retired = {line.pid for line in journal.lines("each") if line.process == 1}
    last = journal.lines("each")[-3:]
    assert not retired & {line.pid for line in last}
    check(journal)
