"""A job as the program describes it: what runs, when, and in which processes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lineman.base.durations import check_function, check_seconds, name_of
from lineman.errors import ConfigError, UsageError
from lineman.scheduling.job_clock import Interval, JobSchedule

# Seconds: more often than a thousand times a second no clock of an event loop wakes.
LEAST = 0.001


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job.

    Attributes:
        name: for the log, such as `every(10) tick`.
        function: plain or `async def`.
        process: the number of the only process that runs it; None for every process.
        overlap: whether a run may begin while the run before goes on.
        finish: whether a run may go on at the end of the process.
    """

    name: str
    schedule: JobSchedule
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    process: int | None = None
    overlap: bool = False
    finish: bool = False

    def check_process(self, count: int) -> None:
        """Refuses a process that does not exist.

        Raises:
            ConfigError: the worker has fewer processes.
        """
        if self.process is not None and self.process >= count:
            have = "only process 0" if count == 1 else f"processes 0 to {count - 1}"
            raise ConfigError(
                f"{self.name} has process={self.process}, and the worker has {have}",
                "give process=0, which always exists, or None for every process",
            )


def interval(call: str, seconds: object) -> Interval:
    """The schedule of a job that runs every so many seconds.

    Raises:
        UsageError: the seconds are no number, or out of range.
    """
    if callable(seconds):
        raise UsageError(f"{call} needs the seconds: write @worker.every(10) above the function")
    return Interval(check_seconds(call, seconds, LEAST))


def spec_of(
    schedule: JobSchedule,
    function: Callable[..., Any],
    args: tuple[Any, ...] = (),
    *,
    call: str = "",
    process: object = None,
    overlap: object = False,
    finish: object = False,
) -> JobSpec:
    """A job, checked.

    Args:
        call: the call in messages; empty for the schedule's own.

    Raises:
        UsageError: an argument that cannot work.
    """
    call = call or repr(schedule)
    check_function(call, function)
    check_call(call, function, args)
    is_number = isinstance(process, int) and not isinstance(process, bool)
    if process is not None and not (is_number and process >= 0):  # type: ignore[operator]
        raise UsageError(
            f"{call}: process is {process!r:.80}; give the number of one process, from 0, or None "
            "for every process"
        )
    for name, value in (("overlap", overlap), ("finish", finish)):
        if not isinstance(value, bool):
            raise UsageError(f"{call}: {name} is {value!r:.80}; give True or False")
    given: Any = process
    name = f"{call} {name_of(function)}"
    return JobSpec(name, schedule, function, args, given, bool(overlap), bool(finish))


def check_call(call: str, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Refuses a function that cannot be called with these arguments, or that does nothing then.

    Raises:
        UsageError: it asks for other arguments, or is a generator.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"{call}: {name_of(function)} has a yield, so that a call of it runs nothing; "
            "write a plain function or an async def without yield"
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # a builtin without a known signature
    try:
        signature.bind(*args)
    except TypeError as error:
        with_what = f"with {len(args)} arguments" if args else "without arguments"
        raise UsageError(
            f"{call} calls {name_of(function)}{signature} {with_what}: {error}; "
            "functools.partial(f, …) gives it others"
        ) from None
