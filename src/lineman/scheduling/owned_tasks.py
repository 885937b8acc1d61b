"""The tasks that a worker owns: a failure is logged by name, and at the end none is forgotten."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from lineman.base import progress
from lineman.base.durations import name_of
from lineman.errors import UsageError

logger = logging.getLogger("lineman")

# Seconds that a cancelled task has for its end, and names that one line of the log holds.
LAST_WORDS = 1.0
MAX_NAMES = 10


class OwnedTasks:
    """Tasks of the program.

    Args:
        owner: the name of the owner in the log.
        note_failure: gets the name of a task that raised, and the exception.
    """

    def __init__(self, owner: object, note_failure: Callable[[str, BaseException], None]) -> None:
        self._owner = owner
        self._note_failure = note_failure
        self._tasks: dict[asyncio.Task[Any], bool] = {}

    def start(
        self, coroutine: Coroutine[Any, Any, Any], name: str, finish: bool
    ) -> asyncio.Task[Any]:
        """Runs a coroutine as a task.

        Args:
            finish: whether it may go on at the end of the process, until `finish` gives it up.
        """
        task = asyncio.get_running_loop().create_task(_contained(coroutine, name), name=name)
        self._tasks[task] = finish
        task.add_done_callback(partial(self._done, coroutine))
        return task

    def _done(self, coroutine: Coroutine[Any, Any, Any], task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            coroutine.close()  # a task that was cancelled at once has not begun it
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._note_failure(task.get_name(), error)
        progress.note()

    def retire(self) -> None:
        """Cancels the tasks that may not go on at the end."""
        current = asyncio.current_task()
        cut = [task for task, finish in self._tasks.items() if not finish and task is not current]
        for task in cut:
            task.cancel()
        if cut:
            logger.info("%r stops its tasks: %s", self._owner, _names(cut))

    async def finish(self, seconds: float) -> None:
        """Waits for the tasks that may go on, then cancels every task that is left.

        Args:
            seconds: the longest time to wait.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while waiting := [task for task in self._others() if self._tasks[task]]:
            left = deadline - loop.time()
            if left <= 0:
                logger.warning(
                    "%r has waited %.2g s for tasks that may finish, and cuts them off: %s",
                    self._owner, seconds, _names(waiting),
                )  # fmt: skip
                break
            await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for task in self._others():
            task.cancel()
        left_over = self._others()
        if left_over:
            _, late = await asyncio.wait(left_over, timeout=LAST_WORDS)
            if late:
                logger.warning(
                    "%r: tasks go on although they were cancelled: %s; fix: let "
                    "asyncio.CancelledError out of them",
                    self._owner, _names(late),
                )  # fmt: skip

    def _others(self) -> list[asyncio.Task[Any]]:
        current = asyncio.current_task()
        return [task for task in self._tasks if task is not current]

    def cancel_all(self) -> None:
        """Cancels every task, and waits for none."""
        for task in self._others():
            task.cancel()


def check_coroutine(call: str, coroutine: object) -> Coroutine[Any, Any, Any]:
    """The coroutine, if it is one.

    Raises:
        UsageError: it is something else.
    """
    if inspect.iscoroutine(coroutine):
        return coroutine
    if inspect.iscoroutinefunction(coroutine):
        name = name_of(coroutine)
        raise UsageError(f"{call} takes a coroutine: call the function, {call}({name}(…))")
    if isinstance(coroutine, asyncio.Future):
        raise UsageError(f"{call} takes a coroutine, and this is a task already: it runs")
    raise UsageError(
        f"{call} takes a coroutine, the result of a call of an async def, and got "
        f"{'a function' if callable(coroutine) else f'a {type(coroutine).__name__}'}"
    )


async def _contained(coroutine: Coroutine[Any, Any, Any], name: str) -> Any:
    """Awaits a coroutine; `sys.exit()` in it ends the task, and not the process."""
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"{name} raised {type(error).__name__}: {error}") from error


def _names(tasks: Iterable[asyncio.Task[Any]]) -> str:
    return counted(task.get_name() for task in tasks)


def counted(names: Iterable[str]) -> str:
    """Names for one line of the log, each with its number where it comes several times."""
    counts = Counter(names)
    words = [name if count == 1 else f"{name} ({count})" for name, count in counts.items()]
    more = len(words) - MAX_NAMES
    return ", ".join(words[:MAX_NAMES]) + (f" and {more} others" if more > 0 else "")
