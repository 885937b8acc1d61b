"""A process that serves one worker for a master."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lineman.config import settings
from lineman.config.listen_addresses import name_of, texts_of
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError, LinemanError
from lineman.net.loop import stillness
from lineman.process.child.child_link import ChildLink
from lineman.process.child.process_title import set_title
from lineman.process.log import log_setup
from lineman.process.master.ended_counters import counters
from lineman.process.master.source_watch import watch_files
from lineman.process.messages.role import BLOCKED, Role
from lineman.protocols.websocket.close import GOING_AWAY
from lineman.runtime import (
    inner_workers,
    leaving,
    service_events,
    starting,
    uncaught,
    unowned_tasks,
)
from lineman.runtime.inspection import Inspection
from lineman.runtime.page_reload import PageReload
from lineman.runtime.process_drain import ProcessDrain
from lineman.runtime.retirement import watch_limits
from lineman.runtime.running_worker import RunningWorker
from lineman.scheduling import seat_duty
from lineman.sharing import in_use
from lineman.tls.files import inherited_files
from lineman.tls.openssl.tickets import TicketSecret

logger = logging.getLogger("lineman")


def run(workers: Sequence[RunningWorker], role: Role) -> int:
    """Serves until the master ends it; returns the exit status."""
    # The terminal's signals reach every process of its group; the master handles them.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda number, frame: None)  # SIG_IGN would be inherited
    stillness.watch()
    inherited_files.use(role.files)
    set_title(f"{role.address} #{role.slot}")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        status = runner.run(_Child(workers, role).run())
        leaving.watch()
    uncaught.tell()
    return status


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The function that makes the event loop: uvloop's if it is installed; None for asyncio's."""
    try:
        import uvloop  # an extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class _Child:
    """One worker and its link to the master."""

    def __init__(self, workers: Sequence[RunningWorker], role: Role) -> None:
        self._role = role
        self._worker = _find(workers, role.address, role.twin)
        self._link = ChildLink()
        self._starting: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._is_called_off = False
        self._is_draining = False
        self._pages: PageReload | None = None  # under --watch
        self._ended = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        uncaught.install(loop)
        link = self._link
        link.on("drain", self._drain)
        link.on("stop", self._stop)
        link.on("reopen-logs", log_setup.reopen)
        await link.open(self._role.link, self._stop)  # if the master is gone, this process ends too
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        link.on("reload-certificates", self._reload_certificates)
        link.on("reloaded", self._tell_reloaded)
        link.on("ended", self._tell_ended)
        service_events.ask_to_stop = lambda why, is_graceful: loop.call_soon_threadsafe(
            link.stop_all, why, is_graceful
        )
        worker = self._worker
        if worker is None:
            link.failed(f"the program has no worker {self._role.address} any more: reload it")
            await link.close()
            return 1
        try:
            listeners = _listeners(worker, self._role.listeners)
        except ConfigError as changed:
            link.failed(str(changed))
            await link.close()
            return 1
        secret = TicketSecret(self._role.tickets)
        worker.use_ticket_secret(secret)
        seat_duty.open_sheet(self._role.sheet)
        host = inner_workers.open_host(worker, listeners, self._role.store, secret)
        worker.worker.id = self._role.slot
        if worker.worker.count > 1 and not in_use.is_wanted(worker.worker.broker):
            worker.tell_split = functools.partial(loop.call_soon_threadsafe, link.split)
        worker.worker.links_directory = self._role.links
        worker.on_stop = self._stopped_by_program
        starting.watch = starting.Watch(link.doing, worker.worker.start_timeout)
        self._starting = loop.create_task(
            worker.start(listeners, check_files=not self._role.is_checked)
        )
        try:
            await self._starting
        except asyncio.CancelledError:
            host.give_up()
            if not self._is_called_off:
                link.failed("on_worker_start has cancelled its own task")
            await link.close()
            return 0 if self._is_called_off else 1
        except Exception as raised:
            error = _innermost(raised)
            if not isinstance(error, LinemanError):
                logger.exception("%r does not start", worker)
            host.give_up()
            link.failed(_in_words(error, worker.worker))
            await link.close()
            return 1
        host.ready()
        await self._serve(worker)
        return 0

    async def _serve(self, worker: RunningWorker) -> None:
        """Answers the master's questions and watches limits until the end."""
        loop = asyncio.get_running_loop()
        link = self._link
        drain = ProcessDrain(worker)
        looking = Inspection(worker, drain)
        looking.start()
        link.on("drain-clients", drain.begin)
        link.on("keep-clients", drain.cancel)
        link.answer("status", functools.partial(self._status, looking))
        link.answer("connections", looking.connections)
        link.ready()
        if seat_duty.of_process is not None:
            seat_duty.of_process.ask()
        watching = [
            loop.create_task(watch_limits(worker, link.renew)),
            loop.create_task(looking.tell(link.counted)),
        ]
        if self._role.settings.get("watch"):
            also = [settings.path_of(os.environ, sys.argv)]
            watching.append(loop.create_task(watch_files(link.changed, also)))
            callbacks = worker.worker.callbacks
            if callbacks.on_request is not None:
                callbacks.on_request = self._pages = PageReload(callbacks.on_request)
        await self._ended.wait()
        for task in watching:
            task.cancel()
        looking.stop()
        await drain.close()
        unowned_tasks.tell()
        link.counted(looking.counters())
        await link.close()

    def _status(self, looking: Inspection, **arguments: Any) -> dict[str, Any]:
        """The figures; the counters are sent to the master first, so that none is lost."""
        told = looking.status(**arguments)
        self._link.counted(counters(told))
        return told

    def _reload_certificates(self) -> None:
        if self._worker is not None:
            each: inner_workers.Hosted
            for each in (self._worker, *inner_workers.inside()):
                each.reload_certificates()

    def _stopped_by_program(self) -> None:
        if self._ending is None:
            self._link.renew("the program has stopped its worker")

    async def _tell_reloaded(self) -> None:
        if self._pages is not None:
            self._pages.reloaded()
        if self._worker is not None and self._ending is None:
            await service_events.tell(self._worker.worker, "on_worker_reload")

    async def _tell_ended(self, processes: Sequence[Sequence[int]]) -> None:
        for pid, status in processes:
            if self._worker is not None:
                await service_events.tell(self._worker.worker, "on_worker_exit", status, pid)

    def _stop(self, timeout: float | None = None) -> None:
        self._end(timeout, None, GOING_AWAY)

    def _drain(self, code: int, seconds: float, timeout: float, is_reload: bool = False) -> None:
        self._end(timeout, seconds, code, is_reload)

    def _end(
        self, timeout: float | None, drain: float | None, code: int, is_reload: bool = False
    ) -> None:
        worker = self._worker
        if worker is None or (self._ending is not None and not self._is_draining):
            return
        if self._starting is None or not self._starting.done():
            if self._starting is not None:
                self._is_called_off = True
                self._starting.cancel()
            return
        if self._ending is not None:
            if drain is not None:
                return
            self._ending.cancel()  # a stop ends a drain early
        self._is_draining = drain is not None
        if seat_duty.of_process is not None:
            seat_duty.of_process.leave()

        async def end() -> None:
            patience = worker.worker.stop_timeout if timeout is None else timeout
            if is_reload:
                await service_events.tell_reload(worker.worker, patience)
            if drain is not None:
                loop.call_soon(self._link.event, "deaf")  # after `stop` has stopped accepting
            await worker.stop(patience, drain=drain, code=code)
            await worker.wait_stopped(patience)
            self._ended.set()

        loop = asyncio.get_running_loop()
        self._ending = loop.create_task(end())


def _innermost(error: Exception) -> Exception:
    """The error that a `TaskGroup` has wrapped."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _in_words(error: Exception, worker: WorkerDescription) -> str:
    if isinstance(error, LinemanError):
        return str(error)
    if isinstance(error, OSError):
        from lineman.runtime import taken_port  # most programs do not need it

        return taken_port.explain(error, worker) or f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}: {error}"


def _find(workers: Sequence[RunningWorker], address: str, twin: int) -> RunningWorker | None:
    """The worker with this address in a description; None if the program no longer has it."""
    same = [each for each in workers if name_of(each.worker.address) == address]
    return same[twin] if twin < len(same) else None


def _listeners(worker: RunningWorker, passed: Mapping[str, int]) -> list[socket.socket]:
    """The sockets that the master has passed, in the order of the worker's addresses.

    The program may have changed since the master has read it: a socket of an address that the
    worker no longer has is closed.

    Raises:
        ConfigError: the master does not know one of the worker's addresses.
    """
    given = dict(passed)
    found = []
    for text in texts_of(worker.worker.address):
        if text not in given:
            raise ConfigError(f"{worker!r} now listens on {text} as well", "reload the program")
        found.append(socket.socket(fileno=given.pop(text)))
    for descriptor in given.values():
        os.close(descriptor)
    return found
