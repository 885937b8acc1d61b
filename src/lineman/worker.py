"""`Worker`, the class that programs use: its options and callbacks, and how it is run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from lineman.base import unknown_names
from lineman.base.option_kinds import taking
from lineman.config.callback_slots import BoundSlot, Slot
from lineman.config.declared import refuse_option
from lineman.config.listen_addresses import name_of
from lineman.config.options import OPTIONS, WorkerOptions
from lineman.config.program_slots import ProgramSlot
from lineman.errors import UsageError
from lineman.net.connection.broadcast import broadcast
from lineman.net.connection.connection import Connection
from lineman.net.service import Service
from lineman.protocols.websocket.close import GOING_AWAY
from lineman.runtime import inner_workers, service_events
from lineman.runtime.event_methods import EventMethods
from lineman.runtime.running_worker import RunningWorker
from lineman.scheduling.job_spec import JobSpec, interval, spec_of

if TYPE_CHECKING:  # only workers with TLS need these modules
    from datetime import tzinfo

    from lineman.config.callback_types import Nothing
    from lineman.scheduling.job_clock import JobSchedule
    from lineman.tls.files.pem import Contents
    from lineman.tls.serving.live_certificates import CertificateStatus, LiveTls

    OfWorker = Callable[["Worker"], Nothing] | Callable[[], Nothing]
    OfExit = Callable[["Worker", int, int], Nothing] | Callable[["Worker", int], Nothing] | OfWorker
    J = TypeVar("J", bound=Callable[[], Any])
    T = TypeVar("T")
    W = TypeVar("W", bound=OfWorker)
    Exit = TypeVar("Exit", bound=OfExit)

    class ForWorker(BoundSlot):
        """`on_worker_start`, `on_worker_stop` and `on_worker_reload`."""

        def __call__(self, function: W) -> W: ...  # noqa: D102

    class ForExit(BoundSlot):
        """`on_worker_exit`."""

        def __call__(self, function: Exit) -> Exit: ...  # noqa: D102


_FIXED = {"address", "context", *OPTIONS}


def _nothing() -> None: ...


class Worker(EventMethods):
    """A service on one address, with its options and callbacks.

    Args:
        address, context, **options: see `WorkerOptions`.

    Attributes:
        pid_file, log_file, log_format, log_level, log_max_size, log_keep, metrics, signals,
            on_master_reload, on_master_stop, broker, service_name, secret: of the whole program,
            set on the class.
        id: the number of this process among those of the worker, from 0.
        data: the program's own values: a dictionary, unless the program sets something else.

    Raises:
        UsageError: an option that does not exist.
        ConfigError: when the worker starts, for a value that cannot work.
    """

    _kind = unknown_names.WORKER

    on_worker_start: Slot[ForWorker, OfWorker] = Slot()
    on_worker_stop: Slot[ForWorker, OfWorker] = Slot()
    on_worker_reload: Slot[ForWorker, OfWorker] = Slot()
    on_worker_exit: Slot[ForExit, OfExit] = Slot()

    pid_file: ClassVar[str | Path | None] = None
    log_file: ClassVar[str | Path | None] = None
    log_format: ClassVar[str] = "text"
    log_level: ClassVar[str | int] = "INFO"
    log_max_size: ClassVar[int | None] = None
    log_keep: ClassVar[int] = 1
    signals: ClassVar[str] = "lineman"
    metrics: ClassVar[str | None] = None
    on_master_reload: ClassVar[Any] = ProgramSlot()
    on_master_stop: ClassVar[Any] = ProgramSlot()
    all_workers: ClassVar[list[Worker]] = []
    runtime: RunningWorker  # for Lineman itself: runs the worker in this process

    @taking(WorkerOptions)
    def __init__(
        self,
        address: str | Sequence[str] = "",
        context: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> None:
        super().__init__(address, context)
        self.runtime = RunningWorker(self)
        for name, value in given.items():
            if name not in OPTIONS:
                refuse_option(type(self), name)
            setattr(self, name, value)
        if inner_workers.host is None:  # inner workers are not run by the master
            Worker.all_workers.append(self)

    def __repr__(self) -> str:
        return f"<Worker {self.name or name_of(self.address)}>"

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            runtime = vars(self).get("runtime")
            if name in _FIXED and runtime is not None and runtime.service is not None:
                raise UsageError(
                    f"{name} of {self!r} is read before on_worker_start; set it before the start"
                )
            super().__setattr__(name, value)

    @staticmethod
    def run_all(
        arguments: Sequence[str] | None = None, *, pid_file: str | Path | None = None
    ) -> None:
        """Runs every worker of the program until it gets the command to stop; does not return.

        Args:
            arguments: the words of the command, without the script's name; None for `sys.argv`.
            pid_file: the pid file, by which commands find the program; None for `Worker.pid_file`,
                or for the default, which depends on the script's path.
        """
        from lineman.runtime.run import run_program  # needed once, in few processes

        run_program(Worker, arguments, pid_file)

    @staticmethod
    def stop_all(reason: str = "", *, graceful: bool = False) -> None:
        """Asks the master to stop the whole service, as the command `stop` does; returns at once.

        It may be called in any callback, and in any thread. This process is stopped like the
        others. `await worker.stop()` ends this process alone, and another one takes its place.

        Args:
            reason: why, for the log.
            graceful: whether clients are closed one by one over `drain_seconds`.

        Raises:
            UsageError: this process is none of a service that `run_all` has started.
        """
        service_events.stop_all(str(reason), graceful)

    @property
    def connections(self) -> Mapping[int, Connection]:
        """The open connections by id; a loop visits those that were open when it began."""
        return self.runtime.connections

    def broadcast(
        self,
        message: Any,
        to: Iterable[Connection] | None = None,
        key: Hashable | None = None,
        *,
        everywhere: bool = False,
    ) -> int:
        """Sends one message to many connections of this process; it is encoded once.

        Args:
            message: `str` as text; `bytes`, `bytearray` or `memoryview` as binary; or whatever the
                worker's own protocol encodes.
            to: the connections, as any iterable; None for all that are open.
            key: as for `Connection.send`.
            everywhere: whether it also goes to all clients of this worker in its other processes;
                `Worker.broker` carries it. `to` is None then.

        Returns:
            How many connections of this process took it. A slow reader is treated as by `send`, and
            does not delay others.

        Raises:
            UsageError: the message is neither text nor bytes, `to` holds something else than
                connections, or the key cannot be hashed; then nobody gets the message. With
                `everywhere`: the program has no broker, or the message has more than 1,000,000
                bytes.
        """
        if everywhere:
            if to is not None:
                raise UsageError(
                    "broadcast: `to` names connections of this process; leave it out with "
                    "everywhere=True"
                )
            self._events().send_to_all_clients(message, key)
            return self.runtime.broadcast(message, key)
        everyone = self.connections.values()
        return broadcast(message, everyone if to is None else to, key)

    def send_to(self, address: tuple[str, int], data: str | bytes | bytearray | memoryview) -> bool:
        """Sends a datagram of the program's own accord, from a `udp://` address of this worker.

        `udp_amplification` does not limit it: send to addresses that have proved to be true.

        Args:
            address: an IP address (a broadcast one as well) and a port, as
                `(peer.remote_ip, peer.remote_port)`.
            data: `bytes`, `bytearray` or `memoryview`; or `str`, which is sent as UTF-8.

        Returns:
            Whether the kernel took it; what it did not take is counted as unsent.

        Raises:
            UsageError: the worker listens on no `udp://` address or does not run, the address is
                none, or there are more than 65,507 bytes.
        """
        return self.runtime.send_to(address, data)

    # Time and tasks.

    def every(
        self,
        seconds: float,
        *,
        process: int | None = None,
        overlap: bool = False,
        finish: bool = False,
    ) -> Callable[[J], J]:
        """Runs the decorated function every so many seconds; plain or `async def`.

        The first run is due after `seconds`. If a run still goes on when the next one is due, the
        next one is left out, and the log says so. What the function raises is logged and counted.

        Args:
            seconds: 0.001 or more.
            process: the number of the only process that runs it; None for every process.
            overlap: whether a run may begin while the run before goes on.
            finish: whether a run may go on at a stop or reload; otherwise it is cancelled.

        Raises:
            UsageError: an argument that cannot work.
        """
        schedule = interval("worker.every(seconds)", seconds)
        return self._add(schedule, process=process, overlap=overlap, finish=finish)

    def cron(
        self,
        line: str,
        *,
        tz: str | tzinfo | None = None,
        process: int | None = None,
        overlap: bool = False,
        finish: bool = False,
    ) -> Callable[[J], J]:
        """Runs the decorated function when a line of cron says so; plain or `async def`.

        Args:
            line: `"*/5 * * * *"`: minute, hour, day of month, month, day of week; with six fields
                the first one is the second.
            tz: the time zone, such as `"Asia/Shanghai"`; None for this machine's own.
            process, overlap, finish: as for `every`.

        Raises:
            UsageError: an argument that cannot work; of the line it names the field.
        """
        from lineman.scheduling.cron_line import CronLine  # most programs do not need it

        return self._add(CronLine(line, tz), process=process, overlap=overlap, finish=finish)

    def spawn(self, coroutine: Coroutine[Any, Any, T], finish: bool = False) -> asyncio.Task[T]:
        """Runs a coroutine as a task that this worker owns; what it raises is logged and counted.

        Args:
            finish: whether it may go on at a stop or reload, for `stop_timeout`, in a reload after
                `drain_seconds`; otherwise it is cancelled at once.

        Raises:
            UsageError: no coroutine, or the worker does not run in this process.
        """
        time = self.runtime.time
        if time is None:
            if asyncio.iscoroutine(coroutine):
                coroutine.close()  # otherwise Python warns that it was never awaited
            raise UsageError(
                f"spawn: {self!r} does not run in this process (yet); call it in on_worker_start "
                "or later"
            )
        return time.spawn(coroutine, finish)

    def _add(self, schedule: JobSchedule, **options: Any) -> Callable[[J], J]:
        spec_of(schedule, _nothing, **options)  # a mistake is an error at once

        def take(function: J) -> J:
            self._add_job(spec_of(schedule, function, **options))
            return function

        return take

    def _add_job(self, spec: JobSpec) -> None:
        time, host = self.runtime.time, inner_workers.host
        if time is not None:
            time.add(spec)
        elif host is not None and self in Worker.all_workers and host.outer is not self.runtime:
            raise UsageError(
                f"{spec.name}: {self!r} does not run in this process, which serves "
                f"{host.outer!r}; decorate the function before Worker.run_all()"
            )
        else:
            self.jobs.append(spec)

    def listen(self, address: str) -> None:
        """Listens at one more address, in `on_worker_start` or later, with the worker's options.

        For a worker with one process: several would have to share the port. The next process finds
        the port after a reload, if it calls `listen` in its `on_worker_start`.

        Args:
            address: as in the list of addresses; `urls` has it then, with its port.

        Raises:
            ConfigError: it is invalid or taken, the worker listens there already, it speaks TLS
                without a certificate, or a master runs several processes of the worker.
            UsageError: the worker does not run yet, or is about to end.
        """
        self.runtime.listen(address)

    def pause_accept(self) -> None:
        """Stops accepting in this process for a while: clients wait in the backlog of the port.

        In `on_worker_start` as well: then it begins with `resume_accept`. Open connections go on.
        Datagrams are still taken. After the end it does nothing.

        Raises:
            UsageError: the worker does not run yet.
        """
        self.runtime.pause_accept()

    def resume_accept(self) -> None:
        """Accepts again after `pause_accept`, those who wait first.

        Raises:
            UsageError: the worker does not run yet.
        """
        self.runtime.resume_accept()

    def unlisten(self) -> None:
        """Stops listening in this process at all addresses: clients are refused there.

        Open connections go on. The next process of this worker, after a reload, listens again. On
        a unix socket, which several processes share, clients wait for another process. A second
        call does nothing, and neither does one after the end.

        Raises:
            UsageError: the worker does not run yet.
        """
        self.runtime.unlisten()

    @property
    def service(self) -> Service | None:
        """The service of this worker in this process; None while it does not run."""
        return self.runtime.service

    @property
    def port(self) -> int:
        """The port that it listens on (its first address); useful if the address has port 0."""
        return self.runtime.port

    @property
    def url(self) -> str:
        """The address that it listens on (the first one), with the scheme that clients use."""
        return self.runtime.url

    @property
    def urls(self) -> list[str]:
        """All addresses that it listens on, in their order, with the schemes that clients use."""
        return self.runtime.urls

    @property
    def live_tls(self) -> LiveTls | None:
        """The TLS contexts of this process; None without TLS, or while it does not run."""
        return self.runtime.live_tls

    @property
    def certificates_served(self) -> list[CertificateStatus]:
        """The certificates of this process as they are served now; none while it does not run."""
        return self.runtime.certificates_served

    def reload_certificates(self, contents: Contents | None = None) -> list[str]:
        """Reads the files of every certificate again and serves the next handshakes with them.

        Changed files are also found automatically, a second or two later. Open connections are not
        affected.

        Args:
            contents: the contents of files that this process may not read, by absolute path.

        Returns:
            A line for each certificate that could not be replaced, with the reason.
        """
        return self.runtime.reload_certificates(contents)

    async def start(
        self,
        listener: socket.socket | Sequence[socket.socket] | None = None,
        *,
        check_files: bool = True,
    ) -> None:
        """Listens and serves inside the running event loop, together with its other tasks.

        In a callback of a worker that a master runs, it starts an inner worker, whose port is
        passed on to the process that replaces this one.

        Args:
            listener: a bound, listening socket to use, or one for each address in their order;
                None binds the worker's addresses.
            check_files: whether to look closely at the certificate's files.

        Raises:
            ConfigError: an option that cannot work, and the fix.
            UsageError: it runs already, or this process is about to end.
        """
        from lineman.config.applied_settings import apply_to_worker  # reads a file, perhaps

        apply_to_worker(self)
        given = [listener] if isinstance(listener, socket.socket) else listener
        await self.runtime.start(given, check_files=check_files)

    async def stop(
        self, timeout: float = 5.0, *, drain: float | None = None, code: int = GOING_AWAY
    ) -> None:
        """Stops listening, closes every client with a close frame, and frees everything.

        In a callback of a worker that a master runs, it ends this process, and a new one takes its
        place.

        Args:
            timeout: seconds for clients and running handlers to end.
            drain: seconds before that, over which the clients are closed one by one; None closes
                all at once and drops handshakes in progress.
            code: the close code that clients get.
        """
        await self.runtime.stop(timeout, drain=drain, code=code)
