"""`worker.spawn`: tasks whose failures are logged, and which nobody forgets at the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from kit.waiting import wait_until
from lineman import UsageError, Worker
from lineman.testing.serving import Serving


async def fails() -> None:
    raise ZeroDivisionError("unnoticed")


async def exits() -> None:
    sys.exit("enough")


async def forever() -> None:
    await asyncio.Event().wait()


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


def failures(worker: Worker) -> int:
    assert worker.service is not None
    return worker.service.exceptions


@pytest.mark.parametrize("work", [fails, exits])
def test_a_failure_is_logged_by_name_at_once_and_counted(
    worker: Worker, serving: Serving, caplog: pytest.LogCaptureFixture, work: Any
) -> None:
    kept = serving.call(lambda: worker.spawn(work()))  # somebody holds it, and does not look
    wait_until(lambda: failures(worker) == 1, "it is counted")
    wait_until(lambda: f"{work.__name__} raised" in caplog.text, "it is logged")
    del kept
    gc.collect()
    assert caplog.text.count("Traceback") <= 2  # `sys.exit()` shows its cause as well


def test_the_task_gives_its_result_and_its_failure_to_who_awaits_it(
    worker: Worker, serving: Serving
) -> None:
    async def main() -> tuple[int, str]:
        seven = await worker.spawn(give(7))
        try:
            await worker.spawn(fails())
        except ZeroDivisionError as error:
            return seven, str(error)
        return seven, ""

    assert serving.run(main()) == (7, "unnoticed")


def test_a_task_that_nobody_holds_goes_on(worker: Worker, serving: Serving) -> None:
    ended = threading.Event()

    async def work() -> None:
        for _ in range(5):
            await asyncio.sleep(0.001)
            gc.collect()
        ended.set()

    serving.call(lambda: worker.spawn(work()) and None)
    wait_until(ended.is_set, "it has ended")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (give, r"takes a coroutine: call the function, worker\.spawn\(give\(…\)\)"),
        (None, "got a NoneType"),
        (print, "got a function"),
        ("give", "got a str"),
    ],
)
def test_what_is_no_coroutine_is_refused(
    worker: Worker, serving: Serving, wrong: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        serving.call(worker.spawn, wrong)


def test_a_task_is_no_coroutine(worker: Worker, serving: Serving) -> None:
    async def main() -> None:
        task = asyncio.create_task(give(1))
        with pytest.raises(UsageError, match="is a task already"):
            worker.spawn(task)  # type: ignore[arg-type]
        await task

    serving.run(main())


def test_finish_is_true_or_false(worker: Worker, serving: Serving) -> None:
    with pytest.raises(UsageError, match="finish is 'no'"):
        serving.call(lambda: worker.spawn(give(1), finish="no"))  # type: ignore[arg-type]


def test_before_the_start_there_are_no_tasks(worker: Worker) -> None:
    with pytest.raises(UsageError, match=r"does not run in this process \(yet\)"):
        worker.spawn(give(1))


def test_another_thread_is_refused(worker: Worker, serving: Serving) -> None:
    with pytest.raises(UsageError, match="another thread or loop"):
        worker.spawn(give(1))


# The end.


def test_a_stop_cancels_tasks_at_once_and_names_them(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    async def poll() -> None:
        try:
            await forever()
        finally:
            told.append("cleaned up")

    @worker.on_worker_start
    def start() -> None:
        worker.spawn(poll())
        worker.spawn(forever())
        worker.spawn(forever())

    worker.on_worker_stop = lambda: told.append("on_worker_stop")
    with Serving(worker) as serving:
        serving.run(asyncio.sleep(0))
    assert told == ["cleaned up", "on_worker_stop"]
    assert "stops its tasks: poll, forever (2)" in caplog.text


def test_a_stop_waits_for_tasks_that_may_finish(worker: Worker) -> None:
    told: list[str] = []

    async def save() -> None:
        await asyncio.sleep(0.2)
        told.append("saved")
        worker.spawn(last(), finish=True)

    async def last() -> None:
        await asyncio.sleep(0.1)
        told.append("last")

    worker.on_worker_stop = lambda: told.append("on_worker_stop")
    with Serving(worker) as serving:
        serving.call(lambda: worker.spawn(save(), finish=True))
    assert told == ["saved", "last", "on_worker_stop"]


def test_a_task_that_does_not_finish_is_cut_off_in_time_and_named(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    with Serving(worker) as serving:
        serving.call(lambda: worker.spawn(forever(), finish=True))
        serving.run(worker.stop(0.1))
    assert "has waited 0.1 s for tasks that may finish, and cuts them off: forever" in caplog.text


def test_a_stop_ends_a_drain_that_waits_for_tasks(worker: Worker) -> None:
    told: list[str] = []
    worker.on_worker_stop = lambda: told.append("on_worker_stop")

    async def main() -> None:
        draining = asyncio.ensure_future(worker.stop(30, drain=0))
        await asyncio.sleep(0.2)
        draining.cancel()
        await worker.stop(0.1)
        assert draining.cancelled()

    with Serving(worker) as serving:
        serving.call(lambda: worker.spawn(forever(), finish=True))
        serving.run(main())
    assert told == ["on_worker_stop"]


def test_a_task_that_swallows_its_cancellation_is_named(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    enough = threading.Event()

    async def stubborn() -> None:
        while not enough.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    with Serving(worker) as serving:
        serving.call(lambda: worker.spawn(stubborn()))
        serving.run(asyncio.sleep(0.01))
        serving.run(worker.stop(0.1))
        assert "tasks go on although they were cancelled: stubborn" in caplog.text
        enough.set()
        serving.run(asyncio.sleep(0.1))


def test_a_job_that_may_finish_is_waited_for_and_another_is_cut_off(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    async def work() -> None:
        told.append("begun")
        await asyncio.sleep(0.3)
        told.append("done")

    worker.every(0.01, finish=True)(work)
    worker.every(0.01)(forever)
    with Serving(worker) as serving:
        wait_until(lambda: told, "it has begun")
        serving.run(asyncio.sleep(0.03))
    assert told == ["begun", "done"]
    assert "stops its tasks: every(0.01) forever" in caplog.text


def test_a_start_that_fails_leaves_no_task(worker: Worker) -> None:
    async def work(coroutine: Coroutine[Any, Any, Any]) -> None:
        worker.on_worker_start = lambda: worker.spawn(coroutine) and 1 / 0
        with pytest.raises(ZeroDivisionError):
            await worker.start()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        assert worker.runtime.time is None

    asyncio.run(work(forever()))


def test_a_coroutine_that_is_given_twice_runs_once_and_the_second_task_says_why(
    worker: Worker, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """The task that fails does not take the coroutine from the one that runs it."""
    done: list[bool] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.append(True)

    def twice() -> None:
        coroutine = work()
        worker.spawn(coroutine)
        worker.spawn(coroutine)

    serving.call(twice)
    wait_until(lambda: done, "the first one is done")
    wait_until(lambda: failures(worker) == 1, "the second one is counted")
    assert "coroutine is being awaited already" in caplog.text
