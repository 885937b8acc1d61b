"""Workers that a program starts inside another worker, in its `on_worker_start` or later.

The master does not know them. A process leaves their listening sockets in the store of its seat,
where its successor finds them after a reload or a crash. Inner workers begin to accept together
with the outer worker, and close their clients together with it.
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
from lineman.config.listen_addresses import ListenAddress
from lineman.config.worker_description import WorkerDescription
from lineman.errors import AddressInUseError, ConfigError, UsageError
from lineman.net.listening import unixsocket
from lineman.net.listening.bind import listens_at
from lineman.net.listening.unixsocket import SocketFile
from lineman.net.service import Service
from lineman.process.child.socket_store import MAX_SOCKETS, Label, SocketStore
from lineman.tls.openssl.tickets import TicketSecret

logger = logging.getLogger("lineman")

# Seconds to wait for a port that the old process still has open.
PATIENCE = 5.0
RESTART = "restart the program once (`restart` in place of `reload`), or listen on another port"


class Hosted(Protocol):
    """A worker in this process, as its host sees it (`RunningWorker`)."""

    worker: WorkerDescription
    service: Service | None
    plan: CheckedOptions | None

    @property
    def urls(self) -> list[str]:
        """The addresses that it listens on."""
        ...

    def accept(self, listeners: Sequence[socket.socket]) -> None:
        """Begins to accept, from a socket for each address."""
        ...

    def use_ticket_secret(self, secret: TicketSecret) -> None:
        """Lets it accept the session tickets of other processes with the same secret."""
        ...

    def reload_certificates(self) -> list[str]:
        """Reads its certificates again."""
        ...

    def remove_socket_file(self) -> None:
        """Deletes the file of its unix socket."""
        ...

    async def stop(self, timeout: float, *, drain: float | None, code: int) -> None:
        """Stops it, as `Worker.stop`."""
        ...


class Host:
    """The outer worker of this process, and its inner workers.

    Args:
        outer: the worker that the master knows.
        listeners: its sockets.
        ends: descriptors of the seat's store; empty if it has none.
        secret: the secret of TLS session tickets, which the next process uses too.

    Attributes:
        workers: the inner workers, in the order of their start.
    """

    def __init__(
        self,
        outer: Hosted,
        listeners: Sequence[socket.socket],
        ends: Sequence[int],
        secret: TicketSecret,
    ) -> None:
        self.outer = outer
        self._listeners = listeners
        self.secret = secret
        self.workers: list[Hosted] = []
        self._store = SocketStore(ends) if ends else None
        self._inherited = [] if self._store is None else self._store.copy()
        self._own: dict[Hosted, list[tuple[Label, socket.socket]]] = {}
        self._waiting: dict[Hosted, Sequence[socket.socket]] = {}
        self._is_ready = False
        self._is_ending = False
        self._has_written = False
        keep_from_children(self)

    def descriptors(self) -> list[int]:
        """The descriptors of the store, and of sockets that are not served yet."""
        found = [] if self._store is None else self._store.descriptors()
        found += [each.fileno() for _, each in (*self._inherited, *self._labelled())]
        found += [each.fileno() for each in self._listeners]
        return [each for each in found if each >= 0]

    def _labelled(self) -> list[tuple[Label, socket.socket]]:
        return [each for some in self._own.values() for each in some]

    # Starting.

    def admit(self, worker: Hosted) -> None:
        """Checks that a worker may start inside the outer one.

        Raises:
            ConfigError: the outer worker has several processes.
            UsageError: this process is about to end.
        """
        count = self.outer.worker.count
        if worker.worker.address and count > 1:
            raise ConfigError(
                f"{worker!r} is started inside {self.outer!r}, which has {count} processes: a "
                "client would reach only one of them; with `if worker.id == 0`, the first one",
                self.outer.worker.push_remedy,
            )
        if self._is_ending:
            raise UsageError(f"{worker!r} cannot start: this process is about to end")
        worker.use_ticket_secret(self.secret)

    async def listen(
        self, worker: Hosted, plan: CheckedOptions, where: ListenAddress
    ) -> socket.socket:
        """A socket of a worker: one that an earlier process has left, or a new one.

        Raises:
            ConfigError: the socket cannot be opened.
        """
        listener = self._inherit(where)
        if listener is None:
            self._make_room(where.address)
            listener = await self._open(worker, plan, where.address)
        self._note(worker, where, listener)
        return listener

    def open_now(self, worker: Hosted, plan: CheckedOptions, where: ListenAddress) -> socket.socket:
        """As `listen`, for a worker that runs: without waiting for a port of the old process.

        Raises:
            ConfigError: the socket cannot be opened, or the outer worker has several processes.
            UsageError: this process is about to end.
        """
        self._refuse_several(worker)
        listener = self._inherit(where)
        if listener is None:
            self._make_room(where.address)
            try:
                listener = plan.listen(where.address)
            except AddressInUseError as error:
                raise _explained(error) from None
        elif listener.type is socket.SOCK_STREAM:
            listener.listen(plan.limits.backlog)
        self._note(worker, where, listener)
        if self._is_ready:
            self._write()
        return listener

    def _refuse_several(self, worker: Hosted) -> None:
        if self.outer.worker.count > 1:
            raise ConfigError(
                f"{worker!r} has {self.outer.worker.count} processes, and a client would reach "
                "only one of them there",
                'write the address in the list, which all processes serve: Worker(["ws://…", …])',
            )
        if self._is_ending:
            raise UsageError(f"{worker!r} cannot listen: this process is about to end")

    def _note(self, worker: Hosted, where: ListenAddress, listener: socket.socket) -> None:
        path = where.address.path
        file = unixsocket.identity(path) if path else None
        self._own.setdefault(worker, []).append((Label(where.text, file), listener))

    def _inherit(self, where: ListenAddress) -> socket.socket | None:
        address = where.address
        for each in self._inherited:
            label, found = each
            if label.address != where.text or not listens_at(found, address):
                continue
            try:
                if address.path and label.file != unixsocket.identity(address.path):
                    continue  # the file belongs to another socket now
                found.setblocking(False)
            except OSError:
                continue
            self._inherited.remove(each)
            return found
        return None

    def _make_room(self, address: Address) -> None:
        """Closes unused sockets that an earlier process has left on a port."""
        in_the_way = [each for each in self._inherited if _port(each[1]) == address.port]
        if not in_the_way or address.path or not address.port or self._store is None:
            return
        from lineman.process.rundir.masters import is_of_this_program  # rarely needed

        note = self._store.note()
        if note is None or is_of_this_program(note.owner):
            return  # that process still runs, and uses the port
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

    def hold(self, worker: Hosted, listeners: Sequence[socket.socket]) -> bool:
        """Adds a worker that is about to serve.

        Returns:
            Whether it may accept now; if not, it begins when the outer worker is ready.
        """
        self.workers.append(worker)
        if self._is_ready:
            self._write()
            _follow_options(worker, listeners)
            return True
        self._waiting[worker] = listeners
        return False

    def ready(self) -> None:
        """Begins to accept on all sockets, as the outer worker does, and stores them."""
        self._is_ready = True
        self._write()
        for _, each in self._inherited:
            each.close()
        self._inherited.clear()
        for worker, listeners in self._waiting.items():
            if worker.service is not None:
                _follow_options(worker, listeners)
                worker.accept(listeners)
        self._waiting.clear()

    def _write(self) -> None:
        store = self._store
        if store is None or self._is_ending:
            return
        note = store.note()
        if note is None and not self._own:
            return
        if note is not None and self._has_written and note.owner != os.getpid():
            return  # the store belongs to the next process now
        own = self._labelled()
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
        """Removes a worker that the program stops, or that could not start."""
        if self._is_ending:
            return
        was_own = self._own.pop(worker, None) is not None
        for waiting in self._waiting.pop(worker, ()):
            waiting.close()
        if worker in self.workers:
            self.workers.remove(worker)
        if was_own and self._is_ready:
            self._write()

    def forget(self, worker: Hosted) -> None:
        """Takes the sockets of a worker out of the store: the next process opens its own."""
        if self._own.pop(worker, None) is not None and self._is_ready:
            self._write()

    def keeps(self, file: SocketFile) -> bool:
        """Whether another process of this seat listens at a socket file of this process."""
        note = None if self._store is None else self._store.note()
        if note is None or note.owner == os.getpid():
            return False
        return any(label.file == file.identity for label in note.labels)

    def give_up(self) -> None:
        """Deletes the socket files of a start that has failed."""
        for worker in self.workers:
            worker.remove_socket_file()

    def end(
        self, timeout: float, drain: float | None, code: int
    ) -> list[Coroutine[Any, Any, None]]:
        """Stops accepting; returns the coroutines that stop the inner workers.

        The arguments are those of `Worker.stop`.
        """
        self._is_ending = True
        stops = []
        for worker in self.workers:
            if worker.service is not None:
                worker.service.stop_accepting(serves_rest=drain is None)
                stops.append(worker.stop(timeout, drain=drain, code=code))
        return stops


# The inner workers of this process; None if no master has started it.
host: Host | None = None


def open_host(
    outer: Hosted, listeners: Sequence[socket.socket], ends: Sequence[int], secret: TicketSecret
) -> Host:
    """Allows inner workers in this process."""
    global host
    host = Host(outer, listeners, ends, secret)
    return host


def of(worker: Hosted) -> Host | None:
    """The host of an inner worker; None for any other worker."""
    return None if host is None or host.outer is worker else host


def inside() -> Sequence[Hosted]:
    """The inner workers of this process, in the order of their start."""
    return () if host is None else tuple(host.workers)


async def end(
    worker: Hosted, service: Service, timeout: float, drain: float | None, code: int
) -> None:
    """Ends a worker's service, and with the outer worker's service all inner workers.

    `timeout`, `drain` and `code` are those of `Worker.stop`.
    """
    ending = service.stop(timeout, code) if drain is None else service.drain(drain, timeout, code)
    if host is None or host.outer is not worker:
        await ending
        return
    service.stop_accepting(serves_rest=drain is None)
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


def _follow_options(worker: Hosted, listeners: Sequence[socket.socket]) -> None:
    """Applies the present options to sockets that an earlier process may have opened."""
    plan = worker.plan
    if plan is None:
        return
    for where, listener in zip(plan.addresses, listeners, strict=True):
        try:
            if listener.type is socket.SOCK_STREAM:
                listener.listen(plan.limits.backlog)
            if where.address.path:
                unixsocket.give_mode(where.address.path, plan.given.socket_mode)
        except OSError as error:
            logger.warning("%s keeps its backlog and socket_mode: %s", where.url, error)


def _port(listener: socket.socket) -> int:
    try:
        where = listener.getsockname()
    except OSError:
        return 0
    return int(where[1]) if isinstance(where, tuple) else 0


def _explained(error: AddressInUseError) -> ConfigError:
    """The error, with another text and remedy if a process of this program has the port."""
    from lineman.process.rundir.masters import is_of_this_program  # rarely needed

    if not error.holder or not is_of_this_program(error.holder):
        return error
    seen = f"{error.seen}, which belongs to this program"
    if error.holder in (os.getpid(), os.getppid()):  # the master has all Workers' ports
        return ConfigError(seen, "give each Worker a different address")
    return ConfigError(seen, RESTART)
