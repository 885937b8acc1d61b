"""The events of one worker in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lineman.base.durations import name_of as name_of_function
from lineman.brokers.base import MakeBroker
from lineman.brokers.broker_address import joined
from lineman.brokers.choice import broker_maker
from lineman.brokers.signing import check_secret
from lineman.config.listen_addresses import name_of
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError, UsageError
from lineman.net.connection.broadcast import broadcast
from lineman.net.service import Service
from lineman.runtime import inner_workers
from lineman.scheduling.timekeeper import Timekeeper
from lineman.sharing import event_bus
from lineman.sharing.event_bus import EventBus, MakeStore
from lineman.sharing.event_queue import EventQueue
from lineman.sharing.nats_store import NatsStore
from lineman.sharing.redis_store import RedisStore
from lineman.sharing.store import LocalStore
from lineman.sharing.store_client import StoreClient

logger = logging.getLogger("lineman")

EMBEDDED = "embedded"
HUB, STORE = "program.hub", "program.store"


class WorkerEvents:
    """Hands events to the functions of a worker, and messages to its clients.

    Args:
        worker: the worker.
        service: its service.
        time: its tasks.
    """

    def __init__(self, worker: WorkerDescription, service: Service, time: Timekeeper) -> None:
        self._worker = worker
        self._service = service
        self._time = time
        self._bus: EventBus | None = None
        self._queues: list[tuple[str, EventQueue]] = []
        self._has_begun = False
        self._name = worker.name or name_of(worker.address)

    async def start(self) -> None:
        """Joins the bus of the process; events wait until `begin`.

        Raises:
            ConfigError: the broker can never work.
        """
        worker = self._worker
        bus = self._bus = await event_bus.join(maker(worker), store_maker(worker), worker.secret)
        for event, function in self._worker.event_functions:
            self.add(event, function)
        bus.add_receiver(self._name, self._on_broadcast)
        if self._worker.facts is None:
            self._worker.facts = lambda: {
                "events_published": bus.published,
                "events_lost": bus.lost,
                "events_refused": bus.refused,
            }
        if self._worker.troubles is None:
            self._worker.troubles = lambda: [bus.trouble] if bus.trouble else []

    def add(self, event: str, function: Callable[[Any], object]) -> None:
        """Hands an event to one more function."""
        name = f"on_event {event!r}: {name_of_function(function)}"
        queue = EventQueue(
            function, name, lambda coroutine: self._time.spawn(coroutine, True), self._failed
        )
        self.bus.add_queue(event, queue)
        self._queues.append((event, queue))
        if self._has_begun:
            queue.release()

    def _failed(self, name: str, error: BaseException) -> None:
        self._service.note_failure(name, error)

    @property
    def bus(self) -> EventBus:
        """The bus of this process.

        Raises:
            UsageError: the worker has ended.
        """
        if self._bus is None:
            raise UsageError(f"{self._worker!r} has ended: it publishes nothing more")
        return self._bus

    def send_to_all_clients(self, message: object, key: object) -> None:
        """Sends a message to the clients of this worker in the other processes.

        Raises:
            UsageError: as `EventBus.send_to_all_clients`; or the program has no broker.
        """
        self.bus.send_to_all_clients(self._name, message, key)

    def begin(self) -> None:
        """Hands over events from now on: on_worker_start has returned."""
        self._has_begun = True
        for _, queue in self._queues:
            queue.release()

    def _on_broadcast(self, message: Any, key: Any) -> None:
        try:
            broadcast(message, self._service.open_connections.values(), key)
        except UsageError as error:
            self._service.note_failure("a message for all clients", error)

    async def end(self) -> None:
        """Gets no more events, and leaves the bus."""
        bus, self._bus = self._bus, None
        if bus is None:
            return
        bus.remove_receiver(self._name, self._on_broadcast)
        for event, queue in self._queues:
            bus.remove_queue(event, queue)
        self._queues.clear()
        await event_bus.leave(bus)


def maker(worker: WorkerDescription) -> MakeBroker | None:
    """The function that makes the program's broker; None for a program with this process alone.

    Raises:
        ConfigError: `Worker.broker`, `Worker.service_name` or `Worker.secret` cannot work.
    """
    _check_name(worker.service_name)
    if worker.secret is not None:
        check_secret(worker.secret)
    if worker.broker not in (None, EMBEDDED):
        return broker_maker(str(worker.broker), f"program:{worker.service_name}")
    path = path_of(worker, HUB)
    return None if path is None else broker_maker(f"hub://{path}", worker.service_name)


def store_maker(worker: WorkerDescription) -> MakeStore:
    """The function that makes this process' end of the store of shared values."""
    url = joined(str(worker.broker or EMBEDDED))
    if url == EMBEDDED:
        path = path_of(worker, STORE)
        return LocalStore if path is None else lambda: StoreClient(path)
    name = f"program:{worker.service_name}"
    if url.startswith(("nats://", "tls://")):
        return lambda: NatsStore(url, name)
    return lambda: RedisStore(url, name)


def path_of(worker: WorkerDescription, name: str) -> str | None:
    """The path of a socket between the processes of the program; None if no master runs it."""
    host = inner_workers.host
    directory = worker.links_directory or (host and host.outer.worker.links_directory)
    return str(Path(directory) / name) if directory else None


def _check_name(name: object) -> None:
    if (
        not isinstance(name, str)
        or not name
        or "/" in name
        or not name.isprintable()  # it goes into the keys of brokers, and into logs
        or len(name.encode()) > 100
    ):
        raise ConfigError(
            f"Worker.service_name is {name!r:.120}",
            'give a text of 1 to 100 bytes without "/", such as "chat"',
        )
