"""Tells the program of reloads and of ended processes, and takes its wish to stop the service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from lineman.config.worker_description import WorkerDescription
from lineman.errors import UsageError

logger = logging.getLogger("lineman")

# Asks the master to stop the service, from any thread; None in a process that no master runs.
ask_to_stop: Callable[[str, bool], object] | None = None


def stop_all(why: str, is_graceful: bool) -> None:
    """Stops the whole service, as `Worker.stop_all`.

    Raises:
        UsageError: no master runs this process.
    """
    if ask_to_stop is None:
        raise UsageError(
            "Worker.stop_all() is for callbacks of a service that Worker.run_all() has started; "
            "write `await worker.stop()` for a worker that you have started yourself"
        )
    ask_to_stop(why, is_graceful)


async def tell(worker: WorkerDescription, name: str, *details: Any) -> None:
    """Calls a callback of a worker, if it is set; a failure is logged, and ends nothing else."""
    callback = getattr(worker.callbacks, name)
    if callback is None:
        return
    task = asyncio.current_task()
    cancelled = 0 if task is None else task.cancelling()
    try:
        result = callback(worker, *details)
        if hasattr(result, "__await__"):
            await result
    except BaseException as error:
        if task is not None and task.cancelling() > cancelled:
            raise
        logger.error("%s raised an exception", name, exc_info=error)


async def tell_reload(worker: WorkerDescription, patience: float) -> None:
    """Calls `on_worker_reload`, and cancels it if it takes longer than `patience` seconds."""
    try:
        async with asyncio.timeout(patience):
            await tell(worker, "on_worker_reload")
    except TimeoutError:
        logger.warning(
            "on_worker_reload of %r has not returned after %g s (stop_timeout=), and is cancelled",
            worker, patience,
        )  # fmt: skip
