"""The process that the others of a program talk through, if no other broker is given."""

from __future__ import annotations

from typing import Any

from lineman.brokers.embedded import Hub
from lineman.config.worker_description import WorkerDescription
from lineman.errors import UsageError
from lineman.runtime import worker_events
from lineman.sharing.store_server import StoreServer


class ProgramHub:
    """The hub of a program: it passes events on, and keeps the shared values.

    Args:
        worker: the worker without an address whose process it runs in.
    """

    def __init__(self, worker: WorkerDescription) -> None:
        self._worker = worker
        self._hub: Hub | None = None
        self._store: StoreServer | None = None
        worker.uses_events = False
        worker.callbacks.on_worker_start = self._start
        worker.callbacks.on_worker_stop = self._stop

    async def _start(self, worker: WorkerDescription) -> None:
        hub, store = Hub(), StoreServer()
        worker.facts = lambda: {"hub_dropped_messages": hub.dropped, "shared_keys": store.keys}
        await hub.start(self._path(worker_events.HUB))
        self._hub = hub
        await store.start(self._path(worker_events.STORE))
        self._store = store

    def _path(self, name: str) -> str:
        path = worker_events.path_of(self._worker, name)
        if path is None:
            raise UsageError("the hub of a program is for Worker.run_all()")
        return path

    async def _stop(self, worker: WorkerDescription) -> None:
        if self._store is not None:
            self._store.stop()
        if self._hub is not None:
            await self._hub.stop()


def options(first: WorkerDescription) -> dict[str, Any] | None:
    """The options of the worker that the hub runs in; None if the program has another broker.

    Args:
        first: a worker of the program; the hub runs as the same user.

    Raises:
        ConfigError: `Worker.broker` or `Worker.service_name` cannot work.
    """
    worker_events.maker(first)
    if first.broker not in (None, worker_events.EMBEDDED):
        return None
    alike = ("user", "group", "start_timeout", "stop_timeout", "watchdog_timeout")
    return {"name": "hub", "reloadable": False, **{name: getattr(first, name) for name in alike}}
