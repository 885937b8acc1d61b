"""A service that runs beside a test: in a thread of its own, with an event loop of its own."""

from __future__ import annotations

import asyncio
import math
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar

from lineman.errors import UsageError
from lineman.gateway.gateway import Gateway
from lineman.testing.movable_clock import MovableClock
from lineman.testing.service_client import ServiceClient
from lineman.worker import Worker

T = TypeVar("T")
P = ParamSpec("P")

DEADLINE = 20.0
# Seconds that the clock moves at once: connections look at their deadlines four times a second.
STEP = 0.25
# Turns of the event loop after each step, for what becomes due and what that begins.
TURNS = 10


class Serving:
    """Runs a worker or a gateway for as long as the `with` block lasts.

    After the block the worker has closed its clients, its thread has ended and its loop is closed.
    Give the worker port 0 and read `port`.

    Args:
        worker: with its callbacks set; it must not run yet.
        stop_timeout: seconds that clients and handlers have at the end.
        clock: what `advance` moves; None for a service whose time passes by itself only.

    Attributes:
        worker: the one that was given. It belongs to the other thread: touch it and its connections
            through `call` and `run`.
        faults: unhandled errors that asyncio reported, such as a failed task.

    Raises:
        UsageError: it is given something else than a worker or a gateway.
        ConfigError: on entering, if the worker refuses to start.
    """

    def __init__(
        self,
        worker: Worker | Gateway,
        *,
        stop_timeout: float = 5.0,
        clock: MovableClock | None = None,
    ) -> None:
        if not isinstance(worker, Worker | Gateway):
            raise UsageError(f"a test serves a Worker or a Gateway, and got {worker!r:.80}")
        self.worker = worker
        self._clock = clock
        self._clients: list[ServiceClient] = []
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
        if self._clock is not None:
            self._clock.install()
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
        for client in self._clients:
            client.close()
        try:
            self.stop()
        finally:
            self._end()

    @property
    def port(self) -> int:
        """The port that the worker listens on."""
        return self.worker.port

    @property
    def url(self) -> str:
        """The address that the worker listens on, with the scheme and port that clients use."""
        return self.worker.url

    def connect(
        self,
        target: str = "/",
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        receive_buffer: int | None = None,
    ) -> ServiceClient:
        """A websocket client of the service; it is closed at the end of the block.

        Args:
            target: path and query, such as `/?name=ada`.
            headers: further headers of the handshake.
            subprotocols: what it offers, the best first.
            tls: how it speaks TLS; None for a plain connection.
            receive_buffer: bytes of its receive buffer; a small one makes a slow reader.

        Raises:
            AssertionError: the handshake was refused; the message has the status and the body.
        """
        client = ServiceClient(self.port, tls=tls, receive_buffer=receive_buffer)
        self._clients.append(client)
        return client.open(target, headers, subprotocols)

    def advance(self, seconds: float) -> None:
        """Moves the clock forward, and lets everything happen that becomes due meanwhile.

        It goes in small steps. After each one the event loop runs, and the clients of `connect`
        answer pings; messages wait until the test expects them. What another thread or another
        process does meanwhile takes real time and is not waited for.

        Args:
            seconds: how far.

        Raises:
            UsageError: the number is below 0 or none, or the service has no clock that could be
                moved.
        """
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise UsageError(f"advance({seconds!r:.60}): give seconds, 0 or more")
        if self._clock is None:
            raise UsageError(
                "this service has no clock to move; give it one: Serving(…, clock=MovableClock())"
            )
        left = seconds
        while left > 0:
            step = min(STEP, left)
            left -= step
            self._clock.move(step)
            self.run(self._turn())
            for client in self._clients:
                client.answer_pending()
            self.run(self._turn())

    async def _turn(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

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
        if self._clock is not None:
            clock, self._clock = self._clock, None
            clock.remove()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        if self._thread.is_alive():
            raise TimeoutError("the worker's thread does not end: a callback blocks it")


# What the fixture `lineman_service` gives a test: it serves a worker or a gateway.
Serve: TypeAlias = Callable[[Worker | Gateway], Serving]
