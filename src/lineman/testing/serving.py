"""A worker that runs beside a test: in a thread of its own, with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from lineman.gateway.gateway import Gateway
from lineman.worker import Worker

T = TypeVar("T")
P = ParamSpec("P")

DEADLINE = 20.0


class Serving:
    """Runs a worker or a gateway for as long as the `with` block lasts.

    After the block the worker has closed its clients, its thread has ended and its loop is closed.
    Give the worker port 0 and read `port`.

    Args:
        worker: with its callbacks set; it must not run yet.
        stop_timeout: seconds that clients and handlers have at the end.

    Attributes:
        worker: the one that was given. It belongs to the other thread: touch it and its connections
            through `call` and `run`.
        faults: unhandled errors that asyncio reported, such as a failed task.

    Raises:
        ConfigError: on entering, if the worker refuses to start.
    """

    def __init__(self, worker: Worker | Gateway, *, stop_timeout: float = 5.0) -> None:
        self.worker = worker
        self.faults: list[str] = []
        self._stop_timeout = stop_timeout
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self._thread = threading.Thread(target=self._run_loop, name="lineman", daemon=True)

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self.worker.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self._end()

    @property
    def port(self) -> int:
        """The port that the worker listens on."""
        return self.worker.port

    def stop(self) -> None:
        """Stops the worker; doing it twice is fine."""
        self.run(self.worker.stop(self._stop_timeout), self._stop_timeout + DEADLINE)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a function in the worker's thread; what it returns or raises comes back."""
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(function(*args, **kwargs))
            except BaseException as error:
                result.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return result.result(DEADLINE)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float = DEADLINE) -> T:
        """Runs a coroutine in the worker's loop; what it returns or raises comes back.

        Args:
            coroutine: what to run.
            timeout: seconds after which it is cancelled, with `TimeoutError`.
        """
        running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return running.result(timeout)
        except BaseException:
            running.cancel()
            raise

    def _end(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        if self._thread.is_alive():
            raise TimeoutError("the worker's thread does not end: a callback blocks it")
