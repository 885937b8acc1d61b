"""A child's end of the link to its master."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lineman.base import progress
from lineman.base.forks import keep_from_children
from lineman.process.messages.lines import MAX_REQUEST, WireError, decode, encode, encode_answer

logger = logging.getLogger("lineman")

BEAT = 1.0
# If its master has ended, a child ends gracefully. If its event loop has not noticed that after
# this time, the child hangs, and no other process would end it.
ORPHAN_TIMEOUT = 3.0

Function = Callable[..., Any | Awaitable[Any]]


class ChildLink:
    """Answers the master's questions, carries out its orders, and sends signs of life.

    Functions are registered by name before or after `open`; they get the arguments of the message
    by keyword, and may be `async def`.

    Args:
        limit: the largest size of a message of the master, in bytes.
    """

    def __init__(self, limit: int = MAX_REQUEST) -> None:
        self._limit = limit
        self._answers: dict[str, Function] = {}
        self._orders: dict[str, Function] = {}
        self._has_ended = False
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.lag = 0.0
        self._due = self._late_at = 0.0  # times of the next beat

    def descriptors(self) -> list[int]:
        """The socket to the master, and the descriptor that shows the master's end."""
        is_open = self._writer is not None and not self._writer.is_closing()
        return [self._lifeline, *([self._descriptor] if is_open else [])]

    def answer(self, name: str, function: Function) -> None:
        """Lets `function(**arguments)` answer `{"ask": name}`; its result must fit JSON."""
        self._answers[name] = function

    def on(self, name: str, function: Function) -> None:
        """Calls `function(**arguments)` for each `{"do": name}`."""
        self._orders[name] = function

    async def open(self, descriptor: int, on_end: Callable[[], object]) -> None:
        """Begins to listen and to beat.

        Args:
            descriptor: the inherited socket.
            on_end: called when the master is gone.
        """
        end = socket.socket(fileno=descriptor)
        self._descriptor = descriptor
        self._start_lifeline(end)
        keep_from_children(self)
        reader, self._writer = await asyncio.open_unix_connection(sock=end, limit=self._limit)
        self._keep(self._listen(reader, on_end))
        self._late_at = time.monotonic() + BEAT
        self._keep(self._beat())
        progress.listen(self._beat_within_turn)

    def _start_lifeline(self, end: socket.socket) -> None:
        watched = self._lifeline = os.dup(end.fileno())  # the loop closes its own

        def wait() -> None:
            poll = select.poll()
            poll.register(watched, 0)  # an end is always reported
            poll.poll()
            time.sleep(ORPHAN_TIMEOUT)
            if not self._has_ended:
                os._exit(1)

        threading.Thread(target=wait, name="lineman-lifeline", daemon=True).start()

    def _keep(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send(self, line: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(line)

    def event(self, name: str, **details: Any) -> None:
        """Sends an event to the master; without a master this does nothing."""
        self._send(encode({"event": name, **details}))

    def ready(self) -> None:
        """Tells the master that this child accepts connections."""
        self.event("ready")

    def failed(self, why: str) -> None:
        """Tells the master why this child cannot start; the child ends then."""
        self.event("failed", why=why)

    async def doing(self, what: str) -> None:
        """Tells the master what this child does before it is ready; returns when this was sent."""
        self.event("doing", why=what)
        await asyncio.sleep(0)  # uvloop writes at the end of a turn, and the next code may block

    def counted(self, counters: Mapping[str, Any]) -> None:
        """Sends this child's counters to the master, which keeps them after the child's end."""
        self.event("counted", **counters)

    def renew(self, why: str, has_grown: bool = False) -> None:
        """Asks to be replaced: a new child starts, and this one is drained once it is ready."""
        self.event("grown" if has_grown else "renew", why=why)

    def stop_all(self, why: str, is_graceful: bool) -> None:
        """Asks the master to stop the whole service."""
        self.event("stop-all", why=why, is_graceful=is_graceful)

    def split(self) -> None:
        """Tells the master that the program treats this child's clients as all clients."""
        self.event("split")

    def changed(self, path: str) -> None:
        """Tells the master that a file of the program has changed."""
        self.event("changed", path=path)

    async def close(self) -> None:
        """Sends what waits, then closes."""
        self._has_ended = True
        progress.listen(None)
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        if self._writer is not None:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._writer.drain(), 1.0)
            self._writer.close()

    async def _beat(self) -> None:
        while True:
            self._due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            self._say_lag(time.monotonic())
            self.event("beat", lag=round(self.lag, 4))

    def _say_lag(self, now: float) -> None:
        self.lag = max(0.0, now - self._due)
        self._late_at = now + BEAT

    def _beat_within_turn(self) -> None:
        """Sends a beat if the event loop is late with it, but makes progress.

        A normal write would wait for the end of the turn. So the beat is written directly to the
        socket.
        """
        now = time.monotonic()
        if now < self._late_at or self._writer is None or self._writer.is_closing():
            return
        self._say_lag(now)
        if not self._writer.transport.get_write_buffer_size():  # not in the middle of a message
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._lifeline, encode({"event": "beat", "lag": round(self.lag, 4)}))

    async def _listen(self, reader: asyncio.StreamReader, on_end: Callable[[], object]) -> None:
        try:
            while line := await reader.readline():
                self._take(decode(line))
        except (OSError, ValueError, WireError) as error:
            logger.error("the connection to the master is broken: %s", error)
        self._has_ended = True
        on_end()

    def _take(self, message: dict[str, Any]) -> None:
        if "ask" in message:
            self._keep(self._answer(message.pop("ask"), message.pop("id"), message))
        else:
            self._keep(self._obey(message.pop("do", None), message))

    async def _answer(self, name: str, number: int, arguments: dict[str, Any]) -> None:
        function = self._answers.get(name)
        if function is None:
            answer: Any = {"error": f"this process does not know how to answer {name!r}"}
        else:
            try:
                answer = function(**arguments)
                if inspect.isawaitable(answer):
                    answer = await answer
            except Exception as error:
                logger.exception("the question %r of the master failed", name)
                answer = {"error": f"{type(error).__name__}: {error}"}
        self._send(encode_answer(number, answer))

    async def _obey(self, name: str | None, arguments: dict[str, Any]) -> None:
        function = self._orders.get(name or "")
        if function is None:
            return  # an order that only newer versions know
        try:
            result = function(**arguments)
            if inspect.isawaitable(result):
                await result
        except Exception:
            logger.exception("the order %r of the master failed", name)
