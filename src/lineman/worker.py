"""`Worker`: the description of a service, and the one place that joins the parts."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lineman.base import unknown_names as unknown
from lineman.base.option_kinds import taking
from lineman.config import options
from lineman.config.callback_slots import Slot
from lineman.config.declared import Declared, refuse_option
from lineman.config.options import OPTIONS, Plan, WorkerOptions
from lineman.errors import UsageError
from lineman.net.connection.broadcast import broadcast
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.connection import Connection
from lineman.net.listening.unixsocket import SocketFile
from lineman.net.service import Service
from lineman.protocols.websocket.close import GOING_AWAY
from lineman.runtime import certificate_reload as hotswap
from lineman.runtime import inner_workers as inner
from lineman.runtime import running as serving
from lineman.runtime import starting
from lineman.tls.openssl.tickets import TicketSecret

if TYPE_CHECKING:  # what `options` imports where it is used
    from lineman.config import callback_types as types
    from lineman.runtime.worker_certificates import Certifier
    from lineman.tls.files.pem import Contents
    from lineman.tls.serving.live_certificates import CertificateStatus, LiveTls

logger = logging.getLogger("lineman")

_FIXED = {"address", "context", *OPTIONS}


class Worker(WorkerOptions, Declared):
    """A service on one address: what it speaks, and the functions that answer.

    Args:
        address, context, **options: see `WorkerOptions`.

    Attributes:
        pid_file, log_file, log_format, log_level, metrics: of the whole program, on the class.
        id: of this process among those of the worker, from 0; 0 where there is one.
        data: a place for the program's own: a dictionary until something else is put there.

    Raises:
        UsageError: an option that does not exist.
        ConfigError: when the worker starts, for a value that cannot work.
    """

    _kind = unknown.WORKER

    on_worker_start: Slot[types.ForWorker, types.OfWorker] = Slot()
    on_worker_stop: Slot[types.ForWorker, types.OfWorker] = Slot()
    on_websocket_connect: Slot[types.ForHandshake, types.OfHandshake] = Slot()
    on_connect: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_message: Slot[types.ForMessage, types.OfMessage] = Slot()
    on_close: Slot[types.ForClose, types.OfClose] = Slot()
    on_error: Slot[types.ForError, types.OfError] = Slot()
    on_buffer_full: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_buffer_drain: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_request: Slot[types.ForRequest, types.OfRequest] = Slot()

    pid_file: ClassVar[str | Path | None] = None
    log_file: ClassVar[str | Path | None] = None
    log_format: ClassVar[str] = "text"
    log_level: ClassVar[str | int] = "INFO"
    metrics: ClassVar[str | None] = None
    all_workers: ClassVar[list[Worker]] = []
    takes_clients: bool = True
    _tell_split: Callable[[], object] | None = None  # that other processes serve it too
    _push_remedy: str = inner.USE_GATEWAY  # where its processes are several

    callbacks: Callbacks
    id: int
    data: Any
    # Figures for `status` and the metrics of whatever is built upon this worker, by name.
    facts: Callable[[], Mapping[str, float]] | None
    # What keeps that from working as it should, in words.
    troubles: Callable[[], Sequence[str]] | None
    links_directory: str  # for sockets between this program's processes
    _service: Service | None
    _plan: Plan | None
    _certifier: Certifier | None
    _ticket_secret: TicketSecret | None
    _own_secret: TicketSecret | None
    _socket_file: SocketFile | None

    @taking(WorkerOptions)
    def __init__(
        self, address: str = "", context: Mapping[str, Any] | None = None, **given: Any
    ) -> None:
        self.callbacks = Callbacks()
        self.address = address
        self.context = context
        self.id = 0
        self.data = {}
        self.facts = None
        self.troubles = None
        self.links_directory = ""
        self._service = None
        self._plan = None
        self._certifier = None
        self._ticket_secret = None
        self._own_secret = None
        self._socket_file = None
        for name, value in given.items():
            if name not in OPTIONS:
                refuse_option(type(self), name)
            setattr(self, name, value)
        if inner.host is None:  # a master runs the others
            Worker.all_workers.append(self)

    def __repr__(self) -> str:
        return f"<Worker {self.name or self.address}>"

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if name in _FIXED and vars(self).get("_service") is not None:
                raise UsageError(
                    f"{name} of {self!r} is read before on_worker_start; set it before the start"
                )
            super().__setattr__(name, value)

    @staticmethod
    def run_all(
        arguments: Sequence[str] | None = None, *, pid_file: str | Path | None = None
    ) -> None:
        """Runs every worker of the program until it is told to stop; does not return.

        Args:
            arguments: the command, as after the script's name; None for the script's own.
            pid_file: where the running program is found; None for `Worker.pid_file`, and without
                that one for a place that its path tells.
        """
        from lineman.runtime.run import run_all  # the runner knows this module

        run_all(Worker.all_workers, arguments, pid_file or Worker.pid_file)

    def plan(self, *, check_files: bool = True) -> Plan:
        """The options, checked; nothing is opened but the certificate's files.

        Args:
            check_files: whether to look closely at the certificate's files; a master that has
                done so spares its children the memory that it takes.

        Raises:
            ConfigError: what cannot work, and the fix.
        """
        return options.read(self, check_files=check_files)

    @property
    def connections(self) -> Mapping[int, Connection]:
        """The open ones by id; a loop goes over those that were open when it began."""
        if self._tell_split is not None:
            tell, self._tell_split = self._tell_split, None
            tell()
        return {} if self._service is None else self._service.open_connections

    def broadcast(
        self,
        message: str | bytes | bytearray | memoryview,
        to: Iterable[Connection] | None = None,
        key: Hashable | None = None,
    ) -> int:
        """Sends one message to many connections of this process; it is encoded once.

        Args:
            message: `str` as text, anything of bytes as binary.
            to: the connections, in whatever holds them; None for all that are open.
            key: as for `Connection.send`.

        Returns:
            How many took it; a slow reader fares as with `send`, and holds up nobody else.

        Raises:
            UsageError: the message is neither text nor bytes, `to` holds something else than
                connections, or the key cannot be hashed; nobody has got the message then.
        """
        everyone = self.connections.values()
        return broadcast(message, everyone if to is None else to, key)

    @property
    def service(self) -> Service | None:
        """What serves this worker in this process; None while it does not run."""
        return self._service

    @property
    def port(self) -> int:
        """The port that it listens on; of use where the address said 0."""
        if self._plan is None:
            raise UsageError("the worker does not run yet; its port is known after start()")
        if self._plan.address is None:
            raise UsageError("the worker has no address, and so no port")
        return self._plan.address.port

    @property
    def url(self) -> str:
        """Where it listens, with the scheme that clients use."""
        if self._plan is None:
            raise UsageError("the worker does not run yet; its address is known after start()")
        return self._plan.url

    @property
    def live_tls(self) -> LiveTls | None:
        """What this process serves TLS with now; None without TLS, and while it does not run."""
        return None if self._plan is None or self._service is None else self._plan.tls

    @property
    def certificates_served(self) -> list[CertificateStatus]:
        """The certificates of this process as they are served now; none while it does not run."""
        return [] if self.live_tls is None else self.live_tls.certificates

    def reload_certificates(self, contents: Contents | None = None) -> list[str]:
        """Reads the files of every certificate again and serves the next handshakes with them.

        Changed files are found without it, a second or two later. Open connections go on.

        Args:
            contents: what stands in files that this process may not read, by absolute path.

        Returns:
            What stands in the way, a line for each certificate that stays as it was.
        """
        if self.live_tls is None or self._service is None:
            return []
        return hotswap.reload(self.live_tls, self._service, contents)

    async def start(
        self, listener: socket.socket | None = None, *, check_files: bool = True
    ) -> None:
        """Listens and serves inside the running event loop, beside whatever else it does.

        In a callback of a worker that a master runs it starts a worker inside of that one, whose
        port goes on to the process that takes the place of this one.

        Args:
            listener: a bound, listening socket to use; None binds the worker's address.
            check_files: as for `plan`.

        Raises:
            ConfigError: what cannot work, and the fix.
            UsageError: it runs already, or this process is about to end.
        """
        if self._service is not None:
            raise UsageError(f"{self!r} runs already")
        host = inner.of(self)
        if host is not None:
            host.admit(self)
        plan = self.plan(check_files=check_files)
        address = plan.address
        if listener is None and address is not None:
            if host is None:
                listener = plan.listen(address)
            else:
                listener = await host.listen(self, plan, address)
            if address.path:
                self._socket_file = SocketFile(address.path)
        try:
            if listener is not None and address is not None:
                if not address.path:
                    address = replace(address, port=listener.getsockname()[1])
                if plan.acme is not None:
                    from lineman.runtime.worker_certificates import Certifier

                    self._certifier = Certifier(plan.acme, address)
                    await self._certifier.start(listener, plan.limits)
                    plan = self.plan(check_files=False)
            self._plan = plan = replace(plan, address=address)
            proofs = None if self._certifier is None else self._certifier.answers
            self._service = serving.new_service(self, plan, proofs)
            await starting.run(self.callbacks.on_worker_start, self)
        except BaseException:
            await self._end_certifier()
            if host is not None:
                host.leave(self)
            if listener is not None:
                listener.close()
            self._remove_socket_file()
            if self._service is not None:
                self._service.close()
                self._service = None
            raise
        if host is not None:
            listener = host.hold(self, listener)
        self._service.start(listener)
        if plan.tls is not None and self._ticket_secret is None:
            self._own_secret = TicketSecret.create()
        serving.attend(self._service, plan, self._ticket_secret or self._own_secret, self.address)
        if listener is not None:
            logger.info("listening on %s", self._plan.url)

    async def _end_certifier(self) -> None:
        certifier, self._certifier = self._certifier, None
        if certifier is not None:
            await certifier.stop()

    def use_ticket_secret(self, secret: TicketSecret) -> None:
        """Has this process take the session tickets of others with the same secret."""
        self._ticket_secret = secret

    def _remove_socket_file(self) -> None:
        if self._socket_file is not None:
            inner.remove(self._socket_file)
            self._socket_file = None

    async def _tell(self, name: str) -> None:
        callback = getattr(self.callbacks, name)
        if callback is not None:
            result = callback(self)
            if hasattr(result, "__await__"):
                await result

    async def stop(
        self, timeout: float = 5.0, *, drain: float | None = None, code: int = GOING_AWAY
    ) -> None:
        """Stops listening, says goodbye to every client, and frees everything.

        Args:
            timeout: seconds that clients and handlers at work have.
            drain: seconds before that, over which the goodbyes are spread; None says them all at
                once and drops handshakes under way.
            code: the close code that clients get.
        """
        if self._service is None:
            return
        service, host = self._service, inner.of(self)
        if host is not None:
            host.leave(self)
        await self._end_certifier()
        await inner.end(self, service, timeout, drain, code)
        if self._service is not service:
            return  # stopped twice at once: the other one was first
        self._service = None
        if self._own_secret is not None:
            self._own_secret.close()
            self._own_secret = None
        self._remove_socket_file()
        try:
            await self._tell("on_worker_stop")
        except BaseException as error:
            logger.error("on_worker_stop raised", exc_info=error)
            if isinstance(error, asyncio.CancelledError):
                raise
