"""Logs uncaught exceptions of tasks, threads and finalisers, limited by kind.

A program that makes a task or a thread for each message may have a failure for each message.
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
    """Installs the handlers of this process; `loop` is its event loop.

    A handler that the program sets itself, for example in `on_worker_start`, replaces this one.
    """
    loop.set_exception_handler(_in_loop)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def tell() -> None:
    """Logs how many exceptions were omitted since the last count; call this at the end."""
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
