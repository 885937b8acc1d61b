"""Tells which tasks of the program nobody owns, when the end of the process cuts them off.

A program makes such a task with `asyncio.create_task`. The event loop cancels it at the end
silently: a countdown vanishes, and nobody knows why.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

from lineman.base.durations import name_of
from lineman.scheduling.owned_tasks import counted

logger = logging.getLogger("lineman")

# The code of Lineman and of asyncio; a compiled module knows its file by the path in the sources.
_OF_OTHERS = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    os.path.join("src", "lineman", ""),
    os.path.dirname(asyncio.__file__) + os.sep,
)


def tell() -> None:
    """Logs the tasks that are left; call it as the last thing in the event loop."""
    left = counted(names_of(asyncio.all_tasks() - {asyncio.current_task()}))
    if left:
        logger.warning(
            "this process ends, and cuts off tasks that the program made and nobody owns: %s; "
            "fix: worker.spawn(coroutine, finish=True) lets a task finish, and gateway.after(…) "
            "and gateway.every(…) outlive the process",
            left,
        )


def names_of(tasks: Iterable[asyncio.Task[Any] | None]) -> Iterator[str]:
    """The names of the tasks that run code of the program."""
    for task in tasks:
        if task is None or task.done():
            continue
        coroutine = task.get_coro()
        code = getattr(coroutine, "cr_code", None)
        file = getattr(code, "co_filename", "")
        if file and not file.startswith(_OF_OTHERS):
            name = task.get_name()
            yield name_of(coroutine) if name.startswith("Task-") else name
