"""An application's beginning and end: the lifespan.

Source: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from lineman.asgi.app_messages import out_of_order, type_of
from lineman.asgi.scopes import lifespan_scope
from lineman.errors import LinemanError

logger = logging.getLogger("lineman")

AUTO, ON, OFF = "auto", "on", "off"
STARTUP, SHUTDOWN = "startup", "shutdown"


class LifespanError(LinemanError):
    """The application says that it cannot start, or its lifespan fails where it must have one."""


class Lifespan:
    """The lifespan of one application in this process.

    Args:
        app: the application.
        name: its name in messages.
        mode: `auto`, `on` or `off`.

    Attributes:
        state: what the application has put down for its requests; None where it has no lifespan.
    """

    def __init__(self, app: Any, name: str, mode: str) -> None:
        self._app = app
        self._name = name
        self._mode = mode
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._answers: dict[str, asyncio.Future[str | None]] = {}
        self._has_asked = False
        self.state: dict[str, Any] | None = None

    async def start(self) -> None:
        """Has the application start.

        Raises:
            LifespanError: it says that it cannot, or fails with the mode `on`.
        """
        if self._mode == OFF:
            return
        state: dict[str, Any] = {}
        loop = asyncio.get_running_loop()
        self._answers = {word: loop.create_future() for word in (STARTUP, SHUTDOWN)}
        self._events.put_nowait(STARTUP)
        task = self._task = loop.create_task(self._run(state))
        answer = self._answers[STARTUP]
        try:
            await _first_of(task, answer, None)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if answer.done():
            if (message := answer.result()) is not None:
                self._task = None
                raise LifespanError(
                    f"{self._name}: the lifespan failed at the start{self._short(message)}"
                )
            self.state = state
            return
        self._task = None
        self._judge_early_end(task)

    def _judge_early_end(self, task: asyncio.Task[None]) -> None:
        """Goes on without a lifespan, where the application has none."""
        error = None if task.cancelled() else task.exception()
        what = "returned without an answer" if error is None else f"raised {_in_words(error)}"
        wanted = "ASGI: answer 'lifespan.startup.complete' or 'lifespan.startup.failed'"
        if self._mode == ON:
            raise LifespanError(f"{self._name}: its lifespan {what}; {wanted}") from error
        level = logging.INFO if error is None or not self._has_asked else logging.WARNING
        logger.log(
            level,
            "%s has no lifespan: it %s; it is served without one (lifespan='off' says nothing, "
            "'on' refuses the start)",
            self._name,
            what,
        )

    async def stop(self, timeout: float) -> None:
        """Has the application end, and waits for it.

        Args:
            timeout: seconds.
        """
        task, self._task = self._task, None
        if task is None:
            return
        if task.done():
            error = None if task.cancelled() else task.exception()
            what = "ended" if error is None else f"raised {_in_words(error)}"
            logger.warning(
                "%s: its lifespan %s before 'lifespan.shutdown'; ASGI: it lasts as long as the "
                "service",
                self._name,
                what,
            )
            return
        self._events.put_nowait(SHUTDOWN)
        answer = self._answers[SHUTDOWN]
        await _first_of(task, answer, max(0.0, timeout))
        if answer.done():
            if (message := answer.result()) is not None:
                logger.error(
                    "%s: the lifespan failed at the end%s", self._name, self._short(message)
                )
        elif task.done():
            error = None if task.cancelled() else task.exception()
            if error is not None:
                logger.error("%s: its lifespan failed at the end", self._name, exc_info=error)
        else:
            logger.error(
                "%s: its lifespan has not ended within %g s (stop_timeout); ASGI: answer "
                "'lifespan.shutdown.complete'; it is cancelled",
                self._name,
                timeout,
            )
        await _end(task)

    async def _run(self, state: dict[str, Any]) -> None:
        await self._app(lifespan_scope(state), self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        self._has_asked = True
        return {"type": f"lifespan.{await self._events.get()}"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        kind = type_of(message)
        _, _, rest = kind.partition("lifespan.")
        word, _, outcome = rest.partition(".")
        answer = self._answers.get(word)
        if answer is None or outcome not in ("complete", "failed"):
            wanted = "'lifespan.startup.complete', 'lifespan.startup.failed' and for shutdown alike"
            raise out_of_order(kind, "in its lifespan", wanted)
        if answer.done():
            raise out_of_order(kind, f"after it had answered 'lifespan.{word}'", "one answer")
        said = str(message.get("message") or "")
        answer.set_result(None if outcome == "complete" else said)

    def _short(self, message: str) -> str:
        """What an application says of its failure, in one line; more lines go to the log.

        Frameworks say a whole traceback, whose last line is the error.
        """
        lines = message.strip().splitlines()
        if len(lines) > 1:
            for line in lines:
                logger.error("%s: %s", self._name, line)
        return f": {lines[-1].strip()}" if lines else ""


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


async def _first_of(
    task: asyncio.Future[None], answer: asyncio.Future[Any], timeout: float | None
) -> None:
    both: set[asyncio.Future[Any]] = {task, answer}
    await asyncio.wait(both, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancels a task that is not done, and waits for it, though not for long."""
    if not task.done():
        await asyncio.wait({task}, timeout=0.05)  # it returns by itself behind its last message
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
    with contextlib.suppress(asyncio.CancelledError, Exception):
        task.result() if task.done() else None
