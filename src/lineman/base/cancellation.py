"""Tells the cancellation of a task from one that it only met."""

from __future__ import annotations

import asyncio


def is_cancelled_itself() -> bool:
    """Whether the running task is being cancelled.

    A function of the program may raise `asyncio.CancelledError` too, because what it awaited was
    cancelled; then this is False, and the task goes on.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
