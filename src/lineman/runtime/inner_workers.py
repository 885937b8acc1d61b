"""Workers that a program starts inside of another one, in its `on_worker_start` or later.

The master knows nothing of them. Their listening sockets go from a process to the one that takes
its place by the store of the seat, whether it was reloaded or has crashed; they accept from when
the outer worker does, and let their clients go as it does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from lineman.base.address import Address
from lineman.base.forks import keep_from_children
from lineman.config.checked_options import CheckedOptions
from lineman.config.worker_description import WorkerDescription
from lineman.errors import AddressInUseError, ConfigError, UsageError
from lineman.net.listening import unixsocket
from lineman.net.listening.bind import listens_at
from lineman.net.listening.unixsocket import SocketFile
from lineman.net.service import Service
from lineman.process.child.socket_store import MAX_SOCKETS, Label, SocketStore
from lineman.tls.openssl.tickets import TicketSecret

logger = logging.getLogger("lineman")

# A worker that starts later may find the port still open in the old process, which is asked to
# close it.
PATIENCE = 5.0
RESTART = "restart the program once (`restart` in place of `reload`), or listen on another port"


class Hosted(Protocol):
    """A worker in this process, as its host sees it (`running.RunningWorker`)."""

    worker: WorkerDescription
    service: Service | None
    plan: CheckedOptions | None

    @property
    def url(self) -> str:
        """Where it listens."""
        ...

    def use_ticket_secret(self, secret: TicketSecret) -> None:
        """Has it take the session tickets of others with the same secret."""
        ...

    def reload_certificates(self) -> list[str]:
        """Reads its certificates again."""
        ...

    def remove_socket_file(self) -> None:
        """Deletes the file of its unix socket."""
        ...

    async def stop(self, timeout: float, *, drain: float | None, code: int) -> None:
        """Ends it."""
        ...


class Host:
    """The outer worker of this process, and those inside of it.

    Args:
        outer: which the master knows.
        listener: its socket.
        ends: descriptors of the seat's store; empty where it has none.
        secret: of the TLS session tickets, which the next process takes too.

    Attributes:
        workers: those inside, in the order of their start.
    """

    def __init__(
        self,
        outer: Hosted,
        listener: socket.socket | None,
        ends: Sequence[int],
        secret: TicketSecret,
    ) -> None:
        self.outer = outer
        self._listener = listener
        self.secret = secret
        self.workers: list[Hosted] = []
        self._store = SocketStore(ends) if ends else None
        self._inherited = [] if self._store is None else self._store.copy()
        self._own: dict[Hosted, tuple[Label, socket.socket]] = {}
        self._waiting: dict[Hosted, socket.socket] = {}
        self._is_ready = False
        self._is_ending = False
        self._has_written = False
        keep_from_children(self)

    def descriptors(self) -> list[int]:
        """Those of the store, and of sockets that nothing serves yet."""
        found = [] if self._store is None else self._store.descriptors()
        found += [each.fileno() for _, each in (*self._inherited, *self._own.values())]
        if self._listener is not None:
            found.append(self._listener.fileno())
        return [each for each in found if each >= 0]

    # Starting.

    def admit(self, worker: Hosted) -> None:
        """Lets a worker start inside of the outer one.

        Raises:
            ConfigError: the outer one has several processes.
            UsageError: this process is about to end.
        """
        count = self.outer.worker.count
        if worker.worker.address and count > 1:
            raise ConfigError(
                f"{worker!r} is started inside {self.outer!r}, which has {count} processes: a "
                "client would reach only one of them, with `if worker.id == 0` the first",
                self.outer.worker.push_remedy,
            )
        if self._is_ending:
            raise UsageError(f"{worker!r} cannot start: this process is about to end")
        worker.use_ticket_secret(self.secret)

    async def listen(self, worker: Hosted, plan: CheckedOptions, address: Address) -> socket.socket:
        """The socket of a worker: the one that an earlier process has left, or a new one.

        Raises:
            ConfigError: it cannot be had.
        """
        listener = self._inherit(worker, address)
        if listener is None:
            self._make_room(address)
            listener = await self._open(worker, plan, address)
        file = unixsocket.identity(address.path) if address.path else None
        self._own[worker] = (Label(worker.worker.address, file), listener)
        return listener

    def _inherit(self, worker: Hosted, address: Address) -> socket.socket | None:
        for each in self._inherited:
            label, found = each
            if label.address != worker.worker.address or not listens_at(found, address):
                continue
            try:
                if address.path and label.file != unixsocket.identity(address.path):
                    continue  # clients that connect to the file do not reach this process
                found.setblocking(False)
            except OSError:
                continue
            self._inherited.remove(each)
            return found
        return None

    def _make_room(self, address: Address) -> None:
        """Closes what a process has left on a port, and nobody will take."""
        in_the_way = [each for each in self._inherited if _port(each[1]) == address.port]
        if not in_the_way or address.path or not address.port or self._store is None:
            return
        from lineman.process.rundir.masters import is_of_this_program  # hardly ever needed

        note = self._store.note()
        if note is None or is_of_this_program(note.owner):
            return  # it goes on until this one is ready; the port is its own
        for each in in_the_way:
            self._inherited.remove(each)
            each[1].close()
        self._store.clear()

    async def _open(self, worker: Hosted, plan: CheckedOptions, address: Address) -> socket.socket:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return plan.listen(address)
            except AddressInUseError as error:
                explained = _explained(error)
                may_pass = explained.fix == RESTART or not error.holder
                if not (may_pass and self._is_ready) or time.monotonic() > deadline:
                    raise explained from None
            await asyncio.sleep(0.05)
            self.admit(worker)

    def hold(self, worker: Hosted, listener: socket.socket | None) -> socket.socket | None:
        """Takes a worker in that is about to serve.

        Returns:
            The listener where it may accept now; None where the outer one is not ready.
        """
        self.workers.append(worker)
        if self._is_ready:
            self._write()
            if listener is not None:
                _follow_options(worker, listener)
            return listener
        if listener is not None:
            self._waiting[worker] = listener
        return None

    def ready(self) -> None:
        """Hands the sockets on, and has them accept; the outer worker does."""
        self._is_ready = True
        self._write()
        for _, each in self._inherited:
            each.close()
        self._inherited.clear()
        for worker, listener in self._waiting.items():
            if worker.service is not None:
                _follow_options(worker, listener)
                worker.service.listen(listener)
                logger.info("listening on %s", worker.url)
        self._waiting.clear()

    def _write(self) -> None:
        store = self._store
        if store is None or self._is_ending:
            return
        note = store.note()
        if note is None and not self._own:
            return
        if note is not None and self._has_written and note.owner != os.getpid():
            return  # it is the next process' now
        own = list(self._own.values())
        try:
            if len(own) > MAX_SOCKETS:
                raise OSError(f"{len(own)} are more than {MAX_SOCKETS}")
            store.put([(label, each.fileno()) for label, each in own])
            self._has_written = True
        except OSError as error:
            logger.warning(
                "the sockets of the workers inside %r cannot be passed to the next process (%s); "
                "fix: restart the program in place of a reload",
                self.outer, error,
            )  # fmt: skip

    # Ending.

    def leave(self, worker: Hosted) -> None:
        """Lets a worker go that the program stops, or that could not start."""
        if self._is_ending:
            return
        was_own = self._own.pop(worker, None) is not None
        waiting = self._waiting.pop(worker, None)
        if waiting is not None:
            waiting.close()
        if worker in self.workers:
            self.workers.remove(worker)
        if was_own and self._is_ready:
            self._write()

    def keeps(self, file: SocketFile) -> bool:
        """Whether another process of this seat listens at a file that this one has made."""
        note = None if self._store is None else self._store.note()
        if note is None or note.owner == os.getpid():
            return False
        return any(label.file == file.identity for label in note.labels)

    def give_up(self) -> None:
        """Deletes what a start that has failed would leave behind."""
        for worker in self.workers:
            worker.remove_socket_file()

    def end(
        self, timeout: float, drain: float | None, code: int
    ) -> list[Coroutine[Any, Any, None]]:
        """Accepts no more; what is returned lets the clients of the workers inside go.

        The arguments are those of `Worker.stop`.
        """
        self._is_ending = True
        stops = []
        for worker in self.workers:
            if worker.service is not None:
                worker.service.stop_accepting()
                stops.append(worker.stop(timeout, drain=drain, code=code))
        return stops


# The inner workers of this process; None if no master has started it.
host: Host | None = None


def open_host(
    outer: Hosted, listener: socket.socket | None, ends: Sequence[int], secret: TicketSecret
) -> Host:
    """Allows inner workers in this process."""
    global host
    host = Host(outer, listener, ends, secret)
    return host


def of(worker: Hosted) -> Host | None:
    """The host of a worker that is inside of another one; None for any other worker."""
    return None if host is None or host.outer is worker else host


def inside() -> Sequence[Hosted]:
    """The workers of this process that are inside of another one, in the order of their start."""
    return () if host is None else tuple(host.workers)


async def end(
    worker: Hosted, service: Service, timeout: float, drain: float | None, code: int
) -> None:
    """Has a worker's service end, and where it is the outer one the workers inside as well.

    Args:
        timeout: as for `Worker.stop`, like the others.
    """
    ending = service.stop(timeout, code) if drain is None else service.drain(drain, timeout, code)
    if host is None or host.outer is not worker:
        await ending
        return
    service.stop_accepting()
    stops = host.end(timeout, drain, code)
    for error in await asyncio.gather(ending, *stops, return_exceptions=True):
        if error is not None:
            logger.error("a worker of this process did not stop normally", exc_info=error)


def remove(file: SocketFile) -> None:
    """Deletes the file of a unix socket, unless the next process listens there."""
    if host is not None and host.keeps(file):
        file.leave()
    else:
        file.remove()


def _follow_options(worker: Hosted, listener: socket.socket) -> None:
    """Gives a socket that an earlier process may have opened what the options say now."""
    plan = worker.plan
    if plan is None or plan.address is None:
        return
    try:
        listener.listen(plan.limits.backlog)
        if plan.address.path:
            unixsocket.give_mode(plan.address.path, plan.given.socket_mode)
    except OSError as error:
        logger.warning("%s keeps its backlog and socket_mode: %s", worker.url, error)


def _port(listener: socket.socket) -> int:
    try:
        where = listener.getsockname()
    except OSError:
        return 0
    return int(where[1]) if isinstance(where, tuple) else 0


def _explained(error: AddressInUseError) -> ConfigError:
    """The same where another program has the port, and other words where it is our own."""
    from lineman.process.rundir.masters import is_of_this_program  # hardly ever needed

    if not error.holder or not is_of_this_program(error.holder):
        return error
    seen = f"{error.seen}, which belongs to this program"
    if error.holder in (os.getpid(), os.getppid()):  # the master has those of all outer workers
        return ConfigError(seen, "give each Worker a different address")
    return ConfigError(seen, RESTART)
