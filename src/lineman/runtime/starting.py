"""Runs `on_worker_start`, and reports where it is if it takes too long."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from types import CodeType, FrameType
from typing import Any

logger = logging.getLogger("lineman")

# The part of the start timeout after which the position of the callback is logged.
PART = 0.5

Tell = Callable[[str], Awaitable[None]]


class Watch:
    """Reports what this process does before it is ready.

    Args:
        tell: gets the activity as text; an empty text when it is over.
        timeout: seconds after which the master ends the process.
    """

    def __init__(self, tell: Tell, timeout: float) -> None:
        self.tell = tell
        self.names: list[str] = []  # running callbacks: a worker may start another one
        self.delay = PART * timeout


# The reporter of this process; None if no master waits for it.
watch: Watch | None = None


class StartFailedError(RuntimeError):
    """`on_worker_start` raised an exception that would end the process without a message."""


async def run(callback: Callable[..., Any] | None, worker: object, name: str = "") -> None:
    """Calls `on_worker_start`, and awaits it if it is `async def`.

    Args:
        callback: it, or whatever else is done before the worker is ready; None for nothing.
        worker: its argument.
        name: what it is, for messages; empty for `on_worker_start`.

    Raises:
        StartFailedError: it called `sys.exit()`, was cancelled from within, or the like.
        Exception: any other exception of the callback.
    """
    if callback is None:
        return
    task = asyncio.current_task()
    cancelled = 0 if task is None else task.cancelling()
    name = name or _named(callback)
    coroutines: list[Any] = []
    timer = await _begin(name, coroutines)
    try:
        result = callback(worker)
        if hasattr(result, "__await__"):
            coroutines.append(result)
            await result
    except Exception:
        raise
    except BaseException as error:
        is_ours = task is not None and task.cancelling() > cancelled
        if watch is None or (isinstance(error, asyncio.CancelledError) and is_ours):
            raise
        raise StartFailedError(f"{name} raised {type(error).__name__}: {error}") from error
    finally:
        if timer is not None:
            timer.cancel()
        if watch is not None:
            watch.names.remove(name)
    if watch is not None:
        await watch.tell(watch.names[-1] if watch.names else "")


async def _begin(name: str, coroutines: list[Any]) -> threading.Timer | None:
    if watch is None:
        return None
    watch.names.append(name)
    await watch.tell(name)
    timer = threading.Timer(watch.delay, _say_where, (name, watch.delay, coroutines))
    timer.daemon = True
    timer.start()
    return timer


def _named(callback: Callable[..., Any]) -> str:
    function = inspect.unwrap(callback)
    name = getattr(function, "__qualname__", type(function).__name__)
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return f"on_worker_start ({name})"
    return f"on_worker_start ({name} at {code.co_filename}:{code.co_firstlineno})"


def _say_where(name: str, seconds: float, coroutines: list[Any]) -> None:
    """Logs where the main thread is, or what a coroutine waits for."""
    frames = _waiting(coroutines[0]) if coroutines else []
    lines = [traceback.format_stack(frame, 1)[0] for frame in frames]
    if not lines:
        main = sys._current_frames().get(threading.main_thread().ident or 0)
        lines = traceback.format_stack(main)[-10:] if main is not None else []
    logger.warning("%s has not returned after %g s; it is here:\n%s", name, seconds, "".join(lines))


def _waiting(coroutine: Any) -> list[FrameType]:
    """The frames of a waiting coroutine, the outermost first; none while it runs."""
    found = []
    while inspect.iscoroutine(coroutine) and not coroutine.cr_running:
        if coroutine.cr_frame is not None:
            found.append(coroutine.cr_frame)
        coroutine = coroutine.cr_await
    return found
