"""A worker in this process: it starts and stops the worker's service."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lineman.config import checked_options, session_factories
from lineman.config.checked_options import CheckedOptions
from lineman.config.listen_addresses import ListenAddress, name_of
from lineman.config.worker_description import WorkerDescription
from lineman.errors import UsageError
from lineman.net.connection.broadcast import broadcast
from lineman.net.connection.connection import Connection
from lineman.net.connection.endpoint import Endpoint
from lineman.net.datagrams.send_to import send_to
from lineman.net.listening.bind import listen_again
from lineman.net.listening.proxy_lists import ListWatch
from lineman.net.listening.unixsocket import SocketFile
from lineman.net.service import Service
from lineman.protocols.websocket.close import GOING_AWAY
from lineman.runtime import (
    certificate_reload,
    inner_workers,
    memory,
    served_apps,
    service_events,
    starting,
)
from lineman.runtime.new_service import new_service
from lineman.scheduling import seat_duty
from lineman.scheduling.timekeeper import Timekeeper
from lineman.sharing import in_use
from lineman.tls.openssl.tickets import TicketSecret

if TYPE_CHECKING:  # few workers need these modules
    from lineman.asgi.applications import Applications
    from lineman.runtime.inner_workers import Host
    from lineman.runtime.worker_certificates import Certifier
    from lineman.runtime.worker_events import WorkerEvents
    from lineman.tls.acme.acme_options import AcmeSettings
    from lineman.tls.files.pem import Contents
    from lineman.tls.serving.live_certificates import CertificateStatus, LiveTls

logger = logging.getLogger("lineman")


class RunningWorker:
    """A worker in this process, whether it runs already or not yet.

    Args:
        worker: its description, which is passed to callbacks.

    Attributes:
        service: the service that serves it; None while it does not run.
        plan: its checked options; None before the first start.
        on_stop: called when it begins to stop; None for nothing.
        time: its jobs, timers and tasks; None while it does not run.
        events: its events; None while it does not run, and where the program has no broker.
        end_code: the close code with which it ends: 1012 if another process goes on with its work.
        before_end: called before its clients are closed and its tasks are waited for; gets the
            seconds that are left, and must not raise.
        before_finish: called at the end when no client is left, before its tasks are waited for;
            gets the seconds that are left, and must not raise.
        tell_split: called once, when the program reads the connections of a worker that other
            processes serve too; None if there are none.
    """

    def __init__(self, worker: WorkerDescription) -> None:
        self.worker = worker
        self.service: Service | None = None
        self.plan: CheckedOptions | None = None
        self.on_stop: Callable[[], object] | None = None
        self.time: Timekeeper | None = None
        self.events: WorkerEvents | None = None
        self.end_code = GOING_AWAY
        self.before_end: Callable[[float], Awaitable[None]] | None = None
        self.before_finish: Callable[[float], Awaitable[None]] | None = None
        self.tell_split: Callable[[], object] | None = None
        self._apps: Applications | None = None
        self._certifier: Certifier | None = None
        self._secret: TicketSecret | None = None
        self._own_secret: TicketSecret | None = None
        self._socket_files: list[SocketFile] = []
        self._is_starting = False
        self._is_unlistened = False
        self._is_accepting = False
        self._listeners: list[socket.socket] = []  # until they accept
        self._stopped = asyncio.Event()  # not set while on_worker_stop runs
        self._stopped.set()

    def __repr__(self) -> str:
        return repr(self.worker)

    @property
    def connections(self) -> Mapping[int, Connection]:
        """The open connections by id; a loop visits those that were open when it began."""
        if self.tell_split is not None:
            tell, self.tell_split = self.tell_split, None
            tell()
        return {} if self.service is None else self.service.open_connections

    def send_to(self, address: tuple[str, int], data: str | bytes | bytearray | memoryview) -> bool:
        """Sends a datagram, as `Worker.send_to`."""
        if self.service is None:
            raise UsageError("the worker does not run; send_to works from on_worker_start on")
        return send_to(self.service.outputs, address, data)

    def broadcast(self, message: object, key: Hashable | None) -> int:
        """Sends a message to all clients of this process; the others have theirs."""
        found = {} if self.service is None else self.service.open_connections
        return broadcast(message, found.values(), key)

    @property
    def port(self) -> int:
        """The port that it listens on; useful if the address has port 0."""
        if self.plan is None:
            raise UsageError("the worker does not run yet; its port is known after start()")
        if not self.plan.addresses:
            raise UsageError("the worker has no address, and so no port")
        return self.plan.addresses[0].address.port

    @property
    def url(self) -> str:
        """The first address that it listens on, with the scheme that clients use."""
        return next(iter(self.urls), "")

    @property
    def urls(self) -> list[str]:
        """All addresses that it listens on, with the schemes that clients use."""
        if self.plan is None:
            raise UsageError("the worker does not run yet; its address is known after start()")
        return self.plan.urls

    @property
    def live_tls(self) -> LiveTls | None:
        """The TLS contexts of this process; None without TLS, or while it does not run."""
        return None if self.plan is None or self.service is None else self.plan.tls

    @property
    def certificates_served(self) -> list[CertificateStatus]:
        """The certificates of this process as they are served now; none while it does not run."""
        return [] if self.live_tls is None else self.live_tls.certificates

    def reload_certificates(self, contents: Contents | None = None) -> list[str]:
        """Reads the files of every certificate again, as `Worker.reload_certificates`."""
        if self.live_tls is None or self.service is None:
            return []
        return certificate_reload.reload(self.live_tls, self.service, contents)

    async def start(
        self, given: Sequence[socket.socket] | None = None, *, check_files: bool = True
    ) -> None:
        """Listens and serves inside the running event loop, as `Worker.start`."""
        if self.service is not None:
            raise UsageError(f"{self!r} runs already")
        host = inner_workers.of(self)
        if host is not None:
            host.admit(self)
        plan = checked_options.read(self.worker, check_files=check_files)
        if given is not None and len(given) != len(plan.addresses):
            raise UsageError(
                f"{self!r} has {len(plan.addresses)} addresses, and start() got {len(given)} "
                "sockets; give one for each, in their order"
            )
        listeners = self._listeners = [] if given is None else [*given]
        self._is_accepting = False
        try:
            if given is None:
                await self._open(plan, host, listeners)
            plan = replace(plan, addresses=plan.with_ports(listeners))
            if plan.acme is not None:
                plan = await self._certify(plan, plan.acme, listeners)
            self.plan = plan
            self._is_unlistened = False
            proofs = None if self._certifier is None else self._certifier.answers
            self.service = new_service(self.worker, plan, proofs)
            self._is_starting = True
            await self._keep_time(self.service)
            await starting.run(self.worker.callbacks.on_worker_start, self.worker)
            self._apps = await served_apps.start(self.worker, plan, self.service)
        except BaseException:
            await self._end_certifier()
            if host is not None:
                host.leave(self)
            for listener in listeners:
                listener.close()
            self.remove_socket_file()
            await self._end_apps(1.0)
            await self._end_time()
            if self.service is not None:
                self.service.close()
                self.service = None
            raise
        finally:
            self._is_starting = False
        self.service.start()
        if self.time is not None:
            self.time.begin()
        if self.events is not None:
            self.events.begin()
        if plan.tls is not None and self._secret is None:
            self._own_secret = TicketSecret.create()
        name = name_of(self.worker.address)
        _attend(self.service, plan, self._secret or self._own_secret, name)
        if host is None or host.hold(self, listeners):
            self.accept(listeners)

    async def _open(
        self, plan: CheckedOptions, host: Host | None, opened: list[socket.socket]
    ) -> None:
        """Opens a socket for each address; those that are open already are in `opened`."""
        for each in plan.addresses:
            address = each.address
            if host is None:
                opened.append(plan.listen(address))
            else:
                opened.append(await host.listen(self, plan, each))
            if address.path:
                self._socket_files.append(SocketFile(address.path))

    async def _certify(
        self, plan: CheckedOptions, acme: AcmeSettings, listeners: Sequence[socket.socket]
    ) -> CheckedOptions:
        """Gets the certificate; returns the options with it."""
        from lineman.runtime.worker_certificates import Certifier, asked_at

        number = asked_at([each.address for each in plan.addresses])
        self._certifier = Certifier(acme, plan.addresses[number].address)
        await self._certifier.start(listeners[number], plan.limits)
        certified = checked_options.read(self.worker, check_files=False)
        return replace(certified, addresses=plan.addresses)

    def accept(self, listeners: Sequence[socket.socket]) -> None:
        """Begins to accept, from a socket for each address."""
        assert self.service is not None
        assert self.plan is not None
        with seat_duty.listening_begins():
            for each, listener in zip(self.plan.addresses, listeners, strict=True):
                if not each.address.path and listener.type is socket.SOCK_STREAM:
                    listen_again(listener, self.plan.limits.backlog)
                self.service.listen(listener, self._endpoint(each, self.plan))
                logger.info("listening on %s", each.url)
        self._is_accepting = True
        self._listeners = []
        if self._is_unlistened:  # in on_worker_start
            self._refuse(self.service)

    def listen(self, text: str) -> None:
        """As `Worker.listen`."""
        service, plan, host = self._begun("listen"), self.plan, inner_workers.host
        if service is None or plan is None or service.is_stopping or service.is_draining:
            raise UsageError(f"{self!r} cannot listen: it has ended, or is about to end")
        if self._is_unlistened and self._is_accepting:
            plan = replace(plan, addresses=())
        plan = plan.with_address(text)
        where = plan.addresses[-1]
        listener = plan.listen(where.address) if host is None else host.open_now(self, plan, where)
        if where.address.path:
            self._socket_files.append(SocketFile(where.address.path))
        else:
            where = where.with_port(listener.getsockname()[1])
        self.plan = replace(plan, addresses=(*plan.addresses[:-1], where))
        if not self._is_accepting:
            self._listeners.append(listener)
            return
        self._is_unlistened = False
        service.listen(listener, self._endpoint(where, plan))
        logger.info("listening on %s", where.url)

    def pause_accept(self) -> None:
        """As `Worker.pause_accept`."""
        if (service := self._begun("pause_accept")) is not None:
            service.pause_accept()

    def resume_accept(self) -> None:
        """As `Worker.resume_accept`."""
        if (service := self._begun("resume_accept")) is not None:
            service.resume_accept()

    def unlisten(self) -> None:
        """As `Worker.unlisten`."""
        service = self._begun("unlisten")
        if service is None or self._is_unlistened:
            return
        self._is_unlistened = True
        self._refuse(service)
        self.remove_socket_file()
        if inner_workers.host is not None:
            inner_workers.host.forget(self)

    def _refuse(self, service: Service) -> None:
        """Stops listening; clients are refused, unless the next process serves them already."""
        with seat_duty.listening_ends() as is_newest:
            if is_newest:
                service.unlisten()
            else:
                service.stop_accepting()

    def _begun(self, name: str) -> Service | None:
        """The service; None after the end.

        Raises:
            UsageError: the worker has not begun to start.
        """
        if self.plan is None:
            raise UsageError(
                f"{name}() is for a worker that runs: call it in on_worker_start or later"
            )
        return self.service

    def _endpoint(self, listen: ListenAddress, plan: CheckedOptions) -> Endpoint:
        factory = session_factories.of(listen.address.protocol, plan.given.protocol)
        return Endpoint(
            listen.text,
            listen.address.scheme,
            self.worker._session_factory or factory,
            listen.is_tls,
            listen.origins,
            plan.given.start_tls and listen.may_start_tls,
            plan.given.app is not None,
        )

    async def _keep_time(self, service: Service) -> None:
        worker = self.worker
        time = self.time = Timekeeper(repr(worker), worker.id, worker.count, service)
        for job in worker.jobs:
            time.add(job)
        if worker.uses_events and in_use.is_wanted(worker.broker):
            from lineman.runtime.worker_events import WorkerEvents  # few programs need it

            self.events = WorkerEvents(worker, service, time)
            await self.events.start()

    async def _end_time(self) -> None:
        time, self.time = self.time, None
        events, self.events = self.events, None
        if events is not None:
            await events.end()
        if time is not None:
            time.close()

    async def _end_apps(self, timeout: float) -> None:
        apps, self._apps = self._apps, None
        if apps is not None:
            await apps.stop(timeout)

    async def _end_certifier(self) -> None:
        certifier, self._certifier = self._certifier, None
        if certifier is not None:
            await certifier.stop()

    def use_ticket_secret(self, secret: TicketSecret) -> None:
        """Lets this process accept the session tickets of others with the same secret."""
        self._secret = secret

    def remove_socket_file(self) -> None:
        """Deletes the files of its unix sockets, unless the next process listens there."""
        for file in self._socket_files:
            inner_workers.remove(file)
        self._socket_files.clear()

    async def stop(
        self, timeout: float = 5.0, *, drain: float | None = None, code: int = GOING_AWAY
    ) -> None:
        """Stops it, as `Worker.stop`."""
        if self.service is None:
            return
        if self._is_starting:
            raise UsageError(
                f"{self!r} cannot be stopped before on_worker_start has returned; to refuse the "
                "start, raise an exception"
            )
        if self.on_stop is not None:
            self.on_stop()
        self.end_code = code
        service, host = self.service, inner_workers.of(self)
        time, loop = self.time, asyncio.get_running_loop()
        deadline = loop.time() + timeout + (drain or 0.0)
        if time is not None:
            time.retire()
        if host is not None:
            host.leave(self)
        await self._end_certifier()
        if self.before_end is not None:
            await self.before_end(deadline - loop.time())
        await inner_workers.end(self, service, timeout, drain, code)
        await self._end_apps(deadline - loop.time())
        if self.before_finish is not None:
            await self.before_finish(deadline - loop.time())
        if time is not None:
            await time.finish(deadline - loop.time())
        if self.service is not service:
            return  # another call of `stop` was first
        self.service = None
        if self._own_secret is not None:
            self._own_secret.close()
            self._own_secret = None
        self.remove_socket_file()
        self._stopped.clear()
        try:
            await service_events.tell(self.worker, "on_worker_stop")
        finally:
            await self._end_time()
            self._stopped.set()

    async def wait_stopped(self, timeout: float) -> None:
        """Returns when a call of `stop` is over, on_worker_stop included, or after `timeout` s."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), timeout)


def _attend(service: Service, plan: CheckedOptions, secret: TicketSecret | None, name: str) -> None:
    """Maintains memory, certificates and lists of proxies while a service runs.

    Args:
        service: the service.
        plan: the checked options of its worker.
        secret: the secret of its TLS session tickets.
        name: the worker's name for the tickets.
    """
    memory.watch(service)
    if plan.tls is not None:
        certificate_reload.share_tickets(plan.tls, secret, name)
        certificate_reload.watch(plan.tls, service)
    if plan.proxy_lists.has_files:
        ListWatch(service, plan.proxy_lists)
