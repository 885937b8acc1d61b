"""A job as the program describes it: what cannot work is refused where it is written."""

from __future__ import annotations

import functools
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from lineman import ConfigError, UsageError, Worker

pytestmark = pytest.mark.usefixtures("no_traces")


def tick() -> None:
    pass


async def work() -> None:
    pass


def of_a_connection(connection: object) -> None:
    pass


def yields() -> Iterator[None]:
    yield


async def yields_async() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "10", None, True, 0.0005, 1e12])
def test_seconds_that_cannot_work_are_refused(seconds: Any) -> None:
    with pytest.raises(UsageError, match=r"worker\.every.*give a number from 0\.001"):
        Worker().every(seconds)


def test_a_decorator_without_its_brackets_is_refused() -> None:
    with pytest.raises(UsageError, match=r"write @worker\.every\(10\) above the function"):
        Worker().every(tick)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="takes a line of cron"):
        Worker().cron(tick)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (None, "write f, not f"),
        (work(), "write f, not f"),
        (5, "takes a function, and got a int"),
        (of_a_connection, r"calls of_a_connection\(connection.*without arguments"),
        (yields, "yields has a yield"),
        (yields_async, "yields_async has a yield"),
    ],
)
def test_a_function_that_cannot_run_is_refused(function: Any, said: str) -> None:
    for decorate in (Worker().every(10), Worker().cron("* * * * *")):
        with pytest.raises(UsageError, match=said):
            decorate(function)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"process": -1}, "process is -1; give the number of one process"),
        ({"process": "0"}, "process is '0'"),
        ({"process": True}, "process is True"),
        ({"process": 0.0}, "process is 0.0"),
        ({"overlap": 1}, "overlap is 1; give True or False"),
        ({"finish": "yes"}, "finish is 'yes'; give True or False"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Worker().every(10, **options)
    with pytest.raises(UsageError, match=said):
        Worker().cron("* * * * *", **options)


def test_the_decorator_returns_the_function() -> None:
    worker = Worker()
    assert worker.every(10)(tick) is tick
    assert worker.cron("* * * * *", tz="UTC", process=0)(work) is work
    method = [1].copy
    assert worker.every(10)(method) is method
    worker.every(1)(functools.partial(of_a_connection, None))
    names = [job.name for job in worker.jobs]
    assert names == [
        "every(10) tick",
        'cron("* * * * *") work',
        "every(10) list.copy",
        "every(1) of_a_connection",
    ]


def test_a_process_that_does_not_exist_is_refused_when_the_program_is_described() -> None:
    from lineman.runtime.describe import describe

    worker = Worker(count=2)
    worker.every(10, process=2)(tick)
    with pytest.raises(ConfigError, match=r"every\(10\) tick has process=2.*processes 0 to 1"):
        describe([worker], {})
    worker.count = 3
    describe([worker], {})
