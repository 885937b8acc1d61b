"""Logs what a process still waits for when its service has ended.

At its end Python waits for threads and for busy process pools. The master does not wait for ever,
and cannot know the reason.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from types import FrameType

logger = logging.getLogger("lineman")

# Shorter than the time that a master gives a process without clients (`plan_steps.GRACE`).
PATIENCE = 1.0
STANDARD_LIBRARY = os.path.dirname(threading.__file__)


def watch() -> None:
    """Begins to watch; call this when the process has nothing left to do but end."""
    timer = threading.Timer(PATIENCE, _say)
    timer.daemon = True
    timer.start()


def _say() -> None:
    for what in held_by():
        logger.warning(
            "the service has ended here, and this process waits for %s; fix: end it in "
            "on_worker_stop: executor.shutdown(wait=False, cancel_futures=True) drops tasks",
            what,
        )


def held_by() -> Iterator[str]:
    """The things that Python waits for at the end of a process, as texts."""
    frames = sys._current_frames()
    of_pools: set[int] = set()
    for thread in threading.enumerate():
        if thread.daemon or thread is threading.main_thread() or thread.ident is None:
            continue
        if thread.name.endswith("(_do_shutdown)"):  # asyncio's, which waits for the others
            continue
        processes = getattr(thread, "processes", None)
        if isinstance(processes, Mapping):  # it manages a pool of concurrent.futures
            of_pools.update(processes)
            pids = ", ".join(map(str, processes))
            yield f"a busy ProcessPoolExecutor (processes {pids})"
            continue
        yield f"the thread {thread.name}{_where(frames.get(thread.ident))}"
    multiprocessing = sys.modules.get("multiprocessing")  # most programs do not need it
    for process in [] if multiprocessing is None else multiprocessing.active_children():
        if not process.daemon and process.pid not in of_pools:
            yield f"the process {process.pid} ({process.name} of multiprocessing)"


def _where(frame: FrameType | None) -> str:
    """The line of the program, or else of the standard library, at which a thread is."""
    inner = frame
    while frame is not None and frame.f_code.co_filename.startswith(STANDARD_LIBRARY):
        frame = frame.f_back
    found = frame or inner
    return "" if found is None else f", at {found.f_code.co_filename}:{found.f_lineno}"
