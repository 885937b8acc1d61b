"""`on_worker_start` that fails, ends the process, or never ends: it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.app import App
from kit.stories import Story, seat
from lineman.process.master.model import Beat, Doing, Kill

MakeApp = Callable[[str], App]

APP = """
    import asyncio, sys, time
    from lineman import Gateway, Worker

    {worker}

    @worker.on_worker_start
    {start}

    Worker.run_all()
"""
WORKER = 'worker = Worker("ws://127.0.0.1:0", start_timeout=8)'
GATEWAY = 'worker = Gateway("ws://127.0.0.1:0", start_timeout=8)'

BLOCKS = """def warm_up():
        time.sleep(600)  # for ever"""
WAITS = """async def warm_up():
        await fill_the_cache()

    async def fill_the_cache():
        await asyncio.sleep(600)  # for ever"""


@pytest.mark.parametrize(
    ("worker", "start"), [(GATEWAY, BLOCKS), (WORKER, WAITS)], ids=["blocks", "waits"]
)
def test_one_that_never_ends_is_named_with_its_place(
    make_app: MakeApp, worker: str, start: str
) -> None:
    app = make_app(APP.format(worker=worker, start=start))
    done = app.run("start", by_script=False)
    assert done.returncode == 1
    name = f"on_worker_start (warm_up at {app.script}:7)"
    assert f"it is not ready after 8 s (start_timeout=): {name} has not returned" in done.stderr
    assert f"{name} has not returned after 4 s; it is here:" in done.stderr
    assert "# for ever" in done.stderr


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("def warm_up(): sys.exit(3)", "raised SystemExit: 3"),
        ("async def warm_up(): sys.exit(3)", "raised SystemExit: 3"),
        ("def warm_up(): raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("async def warm_up(): raise asyncio.CancelledError", "raised CancelledError"),
        (
            "async def warm_up():\n        asyncio.current_task().cancel()\n"
            "        await asyncio.sleep(1)",
            "on_worker_start has cancelled its own task",
        ),
    ],
)
def test_one_that_would_end_the_process_is_a_failure_in_words(
    make_app: MakeApp, start: str, says: str
) -> None:
    app = make_app(APP.format(worker=WORKER, start=start))
    done = app.run("start", by_script=False)
    assert done.returncode == 1
    assert says in done.stderr


def test_what_was_done_before_it_was_ready_is_part_of_why_it_was_killed() -> None:
    story = Story(seat())
    story.at(0)
    story.at(1, Doing(1, "on_worker_start (f at app.py:3)"))
    (kill,) = story.at(60, Beat(1))
    assert isinstance(kill, Kill)
    assert kill.why.endswith("(start_timeout=): on_worker_start (f at app.py:3) has not returned")


def test_what_is_done_already_is_not_named(tmp_path: Path) -> None:
    story = Story(seat())
    story.at(0)
    story.at(1, Doing(1, "on_worker_start"), Doing(1, ""))
    (kill,) = story.at(60, Beat(1))
    assert isinstance(kill, Kill)
    assert kill.why.endswith("(start_timeout=)")
