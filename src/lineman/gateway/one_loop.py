"""Runs all parts of a gateway in one running event loop: its clients, and the program's code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from tempfile import TemporaryDirectory

from lineman.errors import UsageError
from lineman.links.link import Link
from lineman.protocols.websocket.close import GOING_AWAY
from lineman.runtime import inner_workers
from lineman.worker import Worker

# Seconds after which a link whose other side does not read is dropped with what it should send.
LAST = 1.0
STEP = 0.001


class OneLoop:
    """One run of a gateway in the running event loop.

    Args:
        holding: the worker that holds the clients; it starts first.
        serving: the worker that runs the program's code.
        others: further workers of the gateway.
        clean: ends links and tasks that the workers' own ends have left; must not raise.

    Attributes:
        is_ready: whether all parts have started.
    """

    def __init__(
        self,
        holding: Worker,
        serving: Worker,
        others: Sequence[Worker],
        clean: Callable[[], Awaitable[None]],
    ) -> None:
        self._holding = holding
        self._serving = serving
        self._parts = (holding, serving, *others)
        self._clean = clean
        self._directory: TemporaryDirectory[str] | None = None
        self._ending: asyncio.Task[None] | None = None
        self.is_ready = False

    async def start(self) -> None:
        """Starts every part; if one cannot start, nothing is left of the others.

        Raises:
            Exception: any exception of a part, such as one of `on_worker_start`.
        """
        # It is removed at the end of the program if nobody calls `stop`.
        made = self._directory = TemporaryDirectory(prefix="lineman-", ignore_cleanup_errors=True)
        try:
            for part in self._parts:
                part.id = 0
                part.links_directory = made.name
                await part.start()
        except BaseException:
            await self._end(0.0, None, GOING_AWAY)
            raise
        self.is_ready = True

    async def stop(self, timeout: float, drain: float | None, code: int) -> None:
        """Stops every part; the arguments are those of `Worker.stop`.

        It goes on if the task that awaits it is cancelled: a callback that stops its own gateway is
        cancelled after `timeout` seconds.
        """
        if self._ending is None:
            ending = self._end(timeout, drain, code)
            self._ending = asyncio.get_running_loop().create_task(ending)
        await asyncio.shield(self._ending)

    async def _end(self, timeout: float, drain: float | None, code: int) -> None:
        try:
            for part in self._parts[2:]:
                await part.stop(timeout)
            # The code runs until it has handled the end of the last client.
            self._holding.runtime.before_finish = lambda _: self._serving.stop(timeout)
            await self._holding.stop(timeout, drain=drain, code=code)
            # In a start that failed the first part may be the one that did.
            await self._serving.stop(timeout)
        finally:
            self._holding.runtime.before_finish = None
            await self._clean()
            for part in self._parts:
                part.links_directory = ""
            if self._directory is not None:
                self._directory.cleanup()


class RunsInLoop:
    """`start` and `stop` of a gateway, for the event loop that runs."""

    _holding: Worker
    _serving: Worker
    _pushing: list[Worker]
    _run: OneLoop | None

    async def _clean(self) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Serves inside the running event loop, with its clients and its code in this process.

        For tests, and for programs that have an event loop of their own: nothing is reloaded, and a
        callback that blocks keeps everybody. It is one gateway process and one business worker,
        whatever `gateways` and `workers` say, and needs no `broker` unless one is given.

        Raises:
            ConfigError: an option that cannot work, and the fix.
            UsageError: it runs already, or a process of a service that `run_all` has started calls.
            Exception: any exception of `on_worker_start`; nothing is left then.
        """
        if self._run is not None:
            raise UsageError(f"{self!r} runs already")
        if inner_workers.host is not None:
            raise UsageError(f"{self!r} belongs to Worker.run_all(), which has started it")
        run = self._run = OneLoop(self._holding, self._serving, self._pushing, self._clean)
        try:
            await run.start()
        except BaseException:
            self._run = None
            raise

    async def stop(
        self, timeout: float = 5.0, *, drain: float | None = None, code: int = GOING_AWAY
    ) -> None:
        """Closes every client with a close frame, lets callbacks finish, and frees everything.

        The arguments are those of `Worker.stop`. A second call waits for the first one.

        Raises:
            UsageError: `start` has not returned yet, or `run_all` runs this gateway.
        """
        run = self._run
        if run is None:
            if inner_workers.host is not None:
                raise UsageError("Worker.stop_all() stops a service that run_all has started")
            return
        if not run.is_ready:
            raise UsageError(
                f"{self!r} cannot be stopped before start() has returned; to refuse the start, "
                "raise an exception in on_worker_start"
            )
        await run.stop(timeout, drain, code)
        if self._run is run:
            self._run = None

    @property
    def port(self) -> int:
        """The port that it listens on (its first address), after `start`."""
        return self._holding.port

    @property
    def url(self) -> str:
        """The address that it listens on (the first one), after `start`."""
        return self._holding.url

    @property
    def urls(self) -> list[str]:
        """All addresses that it listens on, in their order, after `start`."""
        return self._holding.urls


async def let_links_end(links: Collection[Link]) -> None:
    """Returns when these links, which were closed, are over.

    Args:
        links: a view of the links that their owner has; those that are over leave it.
    """
    loop = asyncio.get_running_loop()
    late_at = loop.time() + LAST
    await asyncio.sleep(STEP)  # for tasks that were cancelled
    while links:
        if loop.time() >= late_at:
            for link in list(links):
                link.fail("it did not read the last messages")
        await asyncio.sleep(STEP)
