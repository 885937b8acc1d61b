"""`Timer`: Workerman's names."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from kit.waiting import wait_until
from lineman import Timer, UsageError, Worker
from lineman.testing.serving import Serving


def test_add_repeats_with_its_arguments(worker: Worker, serving: Serving) -> None:
    got: list[Any] = []
    began = time.monotonic()
    serving.call(Timer.add, 0.05, lambda *args: got.append(args), [1, "two"])
    wait_until(lambda: len(got) >= 3, "it ran several times")
    assert time.monotonic() - began >= 0.15
    assert {*got} == {(1, "two")}


@pytest.mark.parametrize("once", [False, True])
def test_a_timer_that_is_not_persistent_runs_once(
    worker: Worker, serving: Serving, once: bool
) -> None:
    got: list[int] = []
    if once:
        serving.call(Timer.add, 0.01, got.append, (1,), False)
    else:
        serving.call(Timer.delay, 0.01, got.append, (1,))
    wait_until(lambda: got, "it ran")
    serving.run(asyncio.sleep(0.05))
    assert got == [1]


def test_async_functions_run_as_tasks_of_the_worker(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with Serving(worker) as serving:
        serving.call(Timer.delay, 0, forever)
        serving.call(Timer.repeat, 0.01, forever)
        serving.run(asyncio.sleep(0.05))
    assert "stops its tasks: Timer.delay forever, Timer(0.01) forever" in caplog.text


@pytest.mark.parametrize("persistent", [True, False])
def test_delete_ends_a_timer_and_says_whether_it_was_there(
    worker: Worker, serving: Serving, persistent: bool
) -> None:
    got: list[int] = []

    def act() -> list[bool]:
        timer = Timer.add(0.03, got.append, [1], persistent)
        return [Timer.delete(timer), Timer.delete(timer)]

    assert serving.call(act) == [True, False]
    serving.run(asyncio.sleep(0.1))
    assert got == []


def test_a_timer_may_delete_itself(worker: Worker, serving: Serving) -> None:
    got: list[bool] = []

    def act() -> None:
        timer = Timer.add(0.01, lambda: got.append(Timer.delete(timer)))

    serving.call(act)
    wait_until(lambda: got, "it ran")
    serving.run(asyncio.sleep(0.05))
    assert got == [True]


def test_delete_all_ends_the_timers_and_no_other_job(worker: Worker) -> None:
    got: list[str] = []
    worker.every(0.01)(lambda: got.append("job"))
    with Serving(worker) as serving:
        serving.call(Timer.add, 0.03, got.append, ["timer"])
        serving.call(Timer.delay, 0.03, got.append, ["delay"])
        serving.call(Timer.delete_all)
        wait_until(lambda: len(got) > 10, "the job goes on")
    assert {*got} == {"job"}


def test_sleep_waits_and_lets_others_run(worker: Worker, serving: Serving) -> None:
    began = time.monotonic()
    serving.run(Timer.sleep(0.05))
    assert time.monotonic() - began >= 0.049
    with pytest.raises(UsageError, match=r"Timer\.sleep"):
        serving.run(Timer.sleep(-1))


@pytest.mark.parametrize("make", [Timer.add, Timer.repeat, Timer.delay])
@pytest.mark.parametrize("seconds", [-1, math.nan, "1", None])
def test_seconds_that_cannot_work_are_refused(
    worker: Worker, serving: Serving, make: Callable[..., Any], seconds: Any
) -> None:
    with pytest.raises(UsageError, match=r"Timer\.\w+\(.*give a number"):
        serving.call(make, seconds, print)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1, None), "write f, not f"),
        ((1, print, "text"), "args is of type str; give a list or a tuple"),
        ((1, print, (), 1), "persistent is 1; give True or False"),
        ((1, lambda connection: None), "without arguments"),
        ((1, lambda: None, [5]), "with 1 arguments"),
    ],
)
def test_arguments_that_cannot_work_are_refused(
    worker: Worker, serving: Serving, arguments: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        serving.call(Timer.add, *arguments)


@pytest.mark.parametrize("wrong", [None, 5, "1"])
def test_delete_takes_what_add_returned(worker: Worker, serving: Serving, wrong: Any) -> None:
    with pytest.raises(UsageError, match=r"takes what Timer\.add returned"):
        serving.call(Timer.delete, wrong)


def test_without_a_worker_it_is_refused_with_what_to_write() -> None:
    with pytest.raises(UsageError, match=r"write @worker\.every\(seconds\)"):
        Timer.add(1, print)

    async def main() -> None:
        with pytest.raises(UsageError, match="where a worker runs"):
            Timer.delay(1, print)

    asyncio.run(main())


def test_on_worker_start_may_make_timers_as_in_workerman(worker: Worker) -> None:
    got: list[int] = []
    worker.on_worker_start = lambda: Timer.add(0.01, got.append, [1]) and None
    with Serving(worker):
        wait_until(lambda: len(got) >= 2, "it ran")


def test_a_hundred_thousand_later_calls_take_little_memory(
    worker: Worker, serving: Serving
) -> None:
    import tracemalloc

    def measure() -> float:
        gc.collect()
        tracemalloc.start()
        for each in range(100_000):
            Timer.delay(60 + each % 120, gc.isenabled)
        held = tracemalloc.get_traced_memory()[0] / 100_000
        tracemalloc.stop()
        Timer.delete_all()
        return held

    held = serving.call(measure)
    print(f"{held:.0f} bytes for each")
    assert held <= 240
