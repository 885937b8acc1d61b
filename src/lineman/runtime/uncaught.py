"""Exceptions that nobody catches, in tasks, threads and finalisers: logged by kind, as all others.

A program that makes a task, or a thread, for each message can have one fail for each message.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import Any

from lineman.base.loglimit import LogLimit

_log = LogLimit(logging.getLogger("lineman"))


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Has this process log them so; `loop` is the one that it runs.

    A handler that the program sets itself, in `on_worker_start` say, takes the place of this one.
    """
    loop.set_exception_handler(_in_loop)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def tell() -> None:
    """Says how many were left out since this was last said; for the end."""
    _log.tell()


def _in_loop(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    message = str(context.get("message") or "an error in the event loop")
    where = context.get("task") or context.get("future") or context.get("handle")
    text = message if where is None else f"{message}: {where!r}"
    error = context.get("exception")
    if error is None:
        _log.log(logging.ERROR, message, "%s", text)
    else:
        _log.exception(error, "%s", text)


def _unraisable(seen: Any) -> None:
    text = f"{seen.err_msg or 'Exception ignored in'}: {seen.object!r}"
    if seen.exc_value is None:
        _log.log(logging.ERROR, "exceptions that were ignored", "%s", text)
    else:
        _log.exception(seen.exc_value, "%s", text)


def _in_thread(seen: Any) -> None:
    if seen.exc_value is not None and not isinstance(seen.exc_value, SystemExit):
        name = "a thread" if seen.thread is None else f"the thread {seen.thread.name}"
        _log.exception(seen.exc_value, "%s ended with an exception", name)
