"""The jobs, timers and tasks of one worker in this process."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from lineman.base.durations import check_function, check_seconds, name_of
from lineman.errors import UsageError
from lineman.net.loop.delay import Delay
from lineman.net.service import Service
from lineman.scheduling import seat_duty
from lineman.scheduling.job import Job
from lineman.scheduling.job_spec import JobSpec
from lineman.scheduling.owned_tasks import OwnedTasks, check_coroutine

# Those of this process that run, the oldest first; `Timer` looks for its own here.
running: list[Timekeeper] = []


class Timekeeper:
    """Runs the jobs, timers and tasks of a worker.

    Args:
        worker: the name of the worker, in the log and in the keys of its jobs.
        process: the number of this process.
        count: how many processes the worker has.
        service: the service that counts and logs failures, and has the timing wheel.

    Attributes:
        is_retired: whether this process begins no more runs.
        timers: the jobs that `Timer` has made.
    """

    def __init__(self, worker: str, process: int, count: int, service: Service) -> None:
        self.worker = worker
        self.service = service
        self.is_retired = False
        self.duty = seat_duty.of_process
        self._process = process
        self._count = count
        self._tasks = OwnedTasks(self, service.note_failure)
        self._jobs: dict[Job, None] = {}
        self._names: Counter[str] = Counter()
        self._delays: set[Delay] = set()
        self.timers: set[Job] = set()
        self._is_ready = False
        running.append(self)
        if self.duty is not None:
            self.duty.members.append(self)

    def __repr__(self) -> str:
        return self.worker

    # Its life.

    def begin(self) -> None:
        """Runs the jobs that there are, as soon as this process owns the time."""
        self._is_ready = True
        if self.duty is None:
            self._begin_jobs()
        else:
            self.duty.when_on(self._begin_jobs)

    def _begin_jobs(self) -> None:
        inherited = {} if self.duty is None else self.duty.inherited
        for job in list(self._jobs):
            if not job.has_begun:
                job.begin(inherited.get(job.key) if job.key else None)

    def retire(self) -> None:
        """Begins no more runs, and cancels the tasks that may not finish."""
        if self.is_retired:
            return
        self.is_retired = True
        for job in self._jobs:
            job.retire()
        for delay in self._delays:
            delay.drop()
        self._delays.clear()
        self._tasks.retire()

    async def finish(self, seconds: float) -> None:
        """Waits for the tasks that may finish, and cancels all others.

        Args:
            seconds: the longest time to wait.
        """
        self.retire()
        await self._tasks.finish(seconds)

    def close(self) -> None:
        """Ends everything at once."""
        self.retire()
        self._tasks.cancel_all()
        for delay in self._delays:
            delay.drop()
        self._delays.clear()
        self.service.log.tell()
        if self in running:
            running.remove(self)
        if self.duty is not None and self in self.duty.members:
            self.duty.members.remove(self)

    # What the program asks for.

    def add(self, spec: JobSpec) -> Job:
        """Runs one more job; those of the start pass from process to process.

        Raises:
            ConfigError: the job wants a process that the worker does not have.
        """
        spec.check_process(self._count)
        self._check_thread(spec.name)
        key = b""
        if not self._is_ready:
            key = seat_duty.key_of(self.worker, spec.name, self._names[spec.name])
            self._names[spec.name] += 1
        job = Job(self, spec, key)
        if spec.process not in (None, self._process) or self.is_retired:
            return job
        self._jobs[job] = None
        if self._is_ready:
            job.begin(None)
        return job

    def forget(self, job: Job) -> None:
        """Keeps a job no longer."""
        self._jobs.pop(job, None)
        self.timers.discard(job)

    def delay(self, seconds: object, function: Callable[..., Any], args: tuple[Any, ...]) -> Delay:
        """Calls a function once, later; `cancel()` of the result takes that back."""
        call = "Timer.delay(seconds, f, args)"
        self._check_thread(call)
        wait = check_seconds(call, seconds)
        check_function(call, function)
        delay = Delay(self, wait, function, args)
        self._delays.add(delay)
        return delay

    def run_delay(self, delay: Delay) -> None:
        """Makes a call whose moment has come; for `Delay`."""
        function, args = delay.function, delay.args or ()
        delay.cancel()
        self.run(f"Timer.delay {name_of(function)}", function, args, finish=False)

    def forget_delay(self, delay: Delay) -> None:
        """Keeps a call no longer; for `Delay`."""
        self._delays.discard(delay)

    def delays(self) -> list[Delay]:
        """The calls that wait."""
        return list(self._delays)

    def run(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], finish: bool
    ) -> asyncio.Task[Any] | None:
        """Calls a function; the task, if it is `async def`. A failure is logged and counted."""
        try:
            result = function(*args)
        except BaseException as error:  # sys.exit() in it ends no process with all its clients
            self.service.note_failure(name, error)
            return None
        return self._tasks.start(result, name, finish) if inspect.iscoroutine(result) else None

    def spawn(self, coroutine: Coroutine[Any, Any, Any], finish: bool) -> asyncio.Task[Any]:
        """Runs a coroutine as a task of this worker, as `Worker.spawn`."""
        found = check_coroutine("worker.spawn", coroutine)
        try:
            self._check_thread("worker.spawn")
            if not isinstance(finish, bool):
                raise UsageError(f"worker.spawn: finish is {finish!r:.80}; give True or False")
        except UsageError:
            found.close()  # otherwise Python warns that it was never awaited
            raise
        return self._tasks.start(found, name_of(found), finish)

    def _check_thread(self, call: str) -> None:
        try:
            is_here = asyncio.get_running_loop() is self.service.loop
        except RuntimeError:
            is_here = False
        if not is_here:
            raise UsageError(
                f"{call} works in the event loop of {self.worker} only, and this is another thread "
                "or loop; fix: loop.call_soon_threadsafe(f), with the loop that "
                "asyncio.get_running_loop() gave in on_worker_start"
            )
