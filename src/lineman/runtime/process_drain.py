"""The drain of one process: its worker and the workers inside it ask their clients to leave."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from lineman.net.client_drain import ClientDrain
from lineman.runtime import inner_workers
from lineman.runtime.inner_workers import Hosted

logger = logging.getLogger("lineman")


class ProcessDrain:
    """Drains a worker that runs in this process; it may be drained again and again.

    Args:
        worker: the worker that the master knows.
    """

    def __init__(self, worker: Hosted) -> None:
        self._worker = worker
        self._drains: list[ClientDrain] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def total(self) -> int:
        """How many clients the present drain asks; 0 without one."""
        return sum(each.total for each in self._drains)

    @property
    def asked(self) -> int:
        """How many of them were asked so far."""
        return sum(each.asked for each in self._drains)

    def begin(self, seconds: float, share: float, refuses: bool) -> None:
        """Begins to ask clients, in place of a drain under way; arguments as of `ClientDrain`."""
        self.cancel()
        workers = (self._worker, *inner_workers.inside())
        self._drains = [
            ClientDrain(each.service, seconds, share, refuses=refuses)
            for each in workers
            if each.service is not None and each.worker.takes_clients
        ]
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        ended = await asyncio.gather(*(each.run() for each in self._drains), return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                logger.error(
                    "a drain has ended before all clients were asked; fix: lineman drain again",
                    exc_info=error,
                )

    def cancel(self) -> None:
        """Ends a drain, and takes new clients again; without one it does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        for each in self._drains:
            each.end()
        self._drains = []

    async def close(self) -> None:
        """Ends a drain with the process."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
