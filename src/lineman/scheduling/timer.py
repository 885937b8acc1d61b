"""`Timer`, Workerman's way of writing jobs and later calls: thin names for what a worker has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from lineman.base.durations import check_seconds
from lineman.errors import UsageError
from lineman.net.loop.delay import Delay
from lineman.scheduling import timekeeper
from lineman.scheduling.job import Job
from lineman.scheduling.job_spec import interval, spec_of
from lineman.scheduling.timekeeper import Timekeeper

CALL = "Timer.add(seconds, f, args, persistent)"


class Timer:
    """Timers of this process, as in Workerman; they work in `on_worker_start` and later.

    `worker.every` and `connection.after` say the same with a decorator, and for one connection.
    """

    @staticmethod
    def add(
        seconds: float,
        function: Callable[..., Any],
        args: Iterable[Any] = (),
        persistent: bool = True,
    ) -> Job | Delay:
        """Calls `function(*args)` every so many seconds, or once if it is not persistent.

        Args:
            seconds: 0.001 or more.
            function: plain or `async def`.
            args: its arguments, as a list or tuple.

        Returns:
            The timer, for `Timer.delete`.

        Raises:
            UsageError: an argument that cannot work, or no worker runs here.
        """
        if not isinstance(persistent, bool):
            raise UsageError(f"{CALL}: persistent is {persistent!r:.80}; give True or False")
        if not persistent:
            return Timer.delay(seconds, function, args)
        spec = spec_of(interval(CALL, seconds), function, _tuple(args), call=f"Timer({seconds:g})")
        job = _keeper().add(spec)
        _keeper().timers.add(job)
        return job

    @staticmethod
    def repeat(seconds: float, function: Callable[..., Any], args: Iterable[Any] = ()) -> Job:
        """Calls `function(*args)` every so many seconds; as `add`."""
        job = Timer.add(seconds, function, args)
        assert isinstance(job, Job)
        return job

    @staticmethod
    def delay(seconds: float, function: Callable[..., Any], args: Iterable[Any] = ()) -> Delay:
        """Calls `function(*args)` once, after so many seconds; as `add`."""
        return _keeper().delay(seconds, function, _tuple(args))

    @staticmethod
    def delete(timer: Job | Delay) -> bool:
        """Ends a timer; whether it was still there. A run that goes on is not touched.

        Raises:
            UsageError: something else than what `add`, `repeat` or `delay` gave.
        """
        if not isinstance(timer, (Job, Delay)):
            raise UsageError(
                f"Timer.delete takes what Timer.add returned, and got a {type(timer).__name__}"
            )
        was_there = not timer.is_over
        timer.cancel()
        return was_there

    @staticmethod
    def delete_all() -> None:
        """Ends every timer that `Timer` has made in this process; other jobs go on."""
        keeper = _keeper()
        timers: list[Job | Delay] = [*keeper.timers, *keeper.delays()]
        for timer in timers:
            timer.cancel()

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Waits: `await Timer.sleep(1)`; other code of the process goes on meanwhile."""
        await asyncio.sleep(check_seconds("Timer.sleep(seconds)", seconds))


def _keeper() -> Timekeeper:
    """The timekeeper of this event loop; of several workers, the one that runs for longest."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    for keeper in timekeeper.running:
        if keeper.service.loop is loop:
            return keeper
    raise UsageError(
        "Timer works where a worker runs: in on_worker_start and later, in the thread of its event "
        "loop; before Worker.run_all(), write @worker.every(seconds)"
    )


def _tuple(args: Iterable[Any]) -> tuple[Any, ...]:
    if isinstance(args, (list, tuple)):
        return tuple(args)
    raise UsageError(
        f"Timer: args is of type {type(args).__name__}; give a list or a tuple: [1, 2]"
    )
