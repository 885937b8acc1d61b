"""A job in a process: it runs on time and never beside itself, and its failures are logged."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from kit.waiting import until, wait_until
from lineman import ConfigError, UsageError, Worker
from lineman.testing.serving import Serving


def failures(worker: Worker) -> int:
    assert worker.service is not None
    return worker.service.exceptions


def test_a_job_from_before_the_start_runs_and_is_never_early(worker: Worker) -> None:
    moments: list[float] = []
    worker.every(0.02)(lambda: moments.append(time.monotonic()))
    began = time.monotonic()
    with Serving(worker):
        wait_until(lambda: len(moments) >= 20, "it ran often")
    moments[:] = moments[:20]
    assert moments[0] - began >= 0.02
    assert moments[-1] - began >= 20 * 0.02
    assert all(after > before for before, after in pairwise(moments))


def test_cron_runs_once_for_each_second_and_never_before_it(worker: Worker) -> None:
    moments: list[float] = []
    worker.cron("* * * * * *")(lambda: moments.append(time.time()))
    with Serving(worker):
        wait_until(lambda: len(moments) >= 4, "it ran in several seconds")
    whole = [int(moment) for moment in moments]
    assert len(set(whole)) == len(whole)


def test_a_job_of_on_worker_start_and_one_of_a_callback_run(worker: Worker) -> None:
    ran: list[str] = []

    @worker.on_worker_start
    def start() -> None:
        @worker.every(0.01)
        def first() -> None:
            ran.append("first")
            if "second" not in ran and len(ran) == 1:
                worker.every(0.01)(second)

    async def second() -> None:
        ran.append("second")

    with Serving(worker):
        wait_until(lambda: {"first", "second"} <= {*ran}, "both ran")


def test_a_stopped_worker_runs_nothing_and_one_that_starts_again_does(worker: Worker) -> None:
    ran: list[int] = []
    worker.every(0.01)(lambda: ran.append(1))
    with Serving(worker) as serving:
        wait_until(lambda: ran, "it ran")
        serving.stop()
        count = len(ran)
        serving.run(asyncio.sleep(0.05))
        assert len(ran) == count
        serving.run(worker.start())
        wait_until(lambda: len(ran) > count, "it runs again")


def exits() -> None:
    sys.exit("the job has had enough")


async def fails() -> None:
    raise ZeroDivisionError("in a task")


@pytest.mark.parametrize("function", [fails, exits, lambda: 1 / 0])
def test_a_failure_is_logged_by_name_and_counted_and_the_job_goes_on(
    worker: Worker, caplog: pytest.LogCaptureFixture, function: Callable[[], Any]
) -> None:
    worker.every(0.01)(function)
    with Serving(worker) as serving:
        wait_until(lambda: failures(worker) >= 3, "it failed several times")
    assert serving.faults == []
    assert f"every(0.01) {function.__name__} raised" in caplog.text
    assert "more times in the last" in caplog.text


def test_a_slow_job_never_runs_beside_itself_and_the_log_says_what_is_left_out(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    running, most, ended = 0, 0, 0

    @worker.every(0.01)
    async def slow() -> None:
        nonlocal running, most, ended
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        ended += 1

    with Serving(worker):
        wait_until(lambda: ended >= 3, "it ran several times")
    assert most == 1
    assert "every(0.01) slow: a run left out: the run before goes on since " in caplog.text


def test_runs_overlap_where_that_is_asked_for(worker: Worker) -> None:
    running = 0

    @worker.every(0.01, overlap=True)
    async def slow() -> None:
        nonlocal running
        running += 1
        await asyncio.sleep(60)

    with Serving(worker):
        wait_until(lambda: running >= 5, "several runs go on")


def test_a_function_that_blocks_leaves_runs_out_and_the_log_says_so(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[float] = []

    @worker.every(0.01)
    def blocks() -> None:
        ran.append(time.monotonic())
        time.sleep(0.1)

    with Serving(worker):
        wait_until(lambda: len(ran) >= 3, "it ran several times")
    assert "every(0.01) blocks: " in caplog.text
    assert "runs left out: the event loop was busy" in caplog.text


def test_a_job_of_another_process_does_not_run_here(worker: Worker) -> None:
    ran: list[int] = []
    worker.count = 2
    worker.id = 1
    worker.every(0.01, process=0)(lambda: ran.append(0))
    worker.every(0.01, process=1)(lambda: ran.append(1))
    worker.every(0.01)(lambda: ran.append(2))
    with Serving(worker):
        wait_until(lambda: {1, 2} <= {*ran}, "the others ran")
    assert 0 not in ran


def test_a_process_that_does_not_exist_is_refused_in_a_callback_too(
    worker: Worker, serving: Serving
) -> None:
    with pytest.raises(ConfigError, match="only process 0"):
        serving.call(lambda: worker.every(1, process=1)(print))


def test_a_job_may_stop_its_own_worker(worker: Worker) -> None:
    @worker.every(0.01)
    async def enough() -> None:
        await worker.stop(1)

    with Serving(worker):
        wait_until(lambda: worker.service is None, "it has stopped")


def test_another_thread_is_refused_with_what_to_do(worker: Worker, serving: Serving) -> None:
    with pytest.raises(
        UsageError, match=r"another thread or loop; fix: loop\.call_soon_threadsafe"
    ):
        worker.every(1)(print)


def test_the_clock_of_the_wall_that_was_wrong_is_told(
    worker: Worker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    real, jump = time.time, 0.0
    worker.cron("0 0 1 1 *")(lambda: ran.append(1))
    with Serving(worker):
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        jump = 366 * 86400.0
        wait_until(lambda: "the clock was set by hours" in caplog.text, "it is told")
    assert ran == []


def test_in_a_loop_of_the_programs_own_jobs_run_too(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[int] = []
    worker.every(0.01)(lambda: ran.append(1))

    async def main() -> None:
        await worker.start()
        await until(lambda: ran)
        await worker.stop()

    asyncio.run(main())
    assert [each for each in caplog.records if each.levelno > logging.WARNING] == []
