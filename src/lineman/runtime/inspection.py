"""Reports the figures and the connections of a worker that runs in this process.

It costs the data path nothing: the counts of the connections are added up when a question comes,
and every ten seconds for the rates. Long tables are gathered in slices, so that the event loop can
do other work in between.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lineman.base.version import VERSION
from lineman.config.listen_addresses import texts_of
from lineman.config.worker_description import WorkerDescription
from lineman.net.connection.connection import Connection
from lineman.net.service import Service
from lineman.process.child import usage
from lineman.process.master.ended_counters import Counters, counters
from lineman.process.messages.connection_rows import (
    COLUMNS,
    SORTS,
    WORKER,
    Network,
    Selection,
    is_in,
)
from lineman.process.messages.process_status import (
    Certificate,
    Inner,
    ProcessReport,
    Sample,
    Traffic,
    lately,
)
from lineman.runtime import build, inner_workers
from lineman.runtime.inner_workers import Hosted
from lineman.runtime.process_drain import ProcessDrain
from lineman.runtime.running_worker import RunningWorker

SAMPLE_EVERY = 10.0
# Seconds between reports of the counters: a killed process loses no older counts.
TELL_EVERY = 5.0
# Seconds that a sample must be old to compute rates from it.
AT_LEAST = 2.0
# Connections in one slice: less than a millisecond of work.
SLICE = 250
# The most certificates in a report; those that expire first are kept.
CERTIFICATES = 20
# Longer tables are sorted by the command only, because sorting would block the event loop.
SORTED = 5000


# The columns of a row, read from a connection. Sorting reads only the columns of the order; whole
# rows are made only for the connections that are shown.
_READ: dict[str, Callable[[Connection], Any]] = {
    "id": lambda connection: connection.id,
    "protocol": lambda connection: connection.endpoint.scheme,
    "tls": lambda connection: connection.tls_version,
    "cipher": lambda connection: connection.tls_cipher,
    "subprotocol": lambda connection: connection.subprotocol,
    "ip": lambda connection: connection.remote_ip,
    "port": lambda connection: connection.remote_port,
    "peer": lambda connection: connection.peer_address,
    "path": lambda connection: "" if connection.request is None else connection.request.path,
    "address": lambda connection: (
        connection.listen_address if len(connection.worker.urls) > 1 else ""
    ),
    "since": lambda connection: connection.opened_at or None,
    "idle": lambda connection: round(connection.idle, 3),
    "messages_in": lambda connection: connection.messages_read,
    "messages_out": lambda connection: connection.messages_written,
    "bytes_in": lambda connection: connection.bytes_read,
    "bytes_out": lambda connection: connection.bytes_written,
    "buffered": lambda connection: connection.unsent,
    "state": lambda connection: connection.state,
    "reason": lambda connection: connection.close_reason,
    "uid": lambda connection: _identity(connection)[0],
    "groups": lambda connection: _identity(connection)[1],
}


def _identity(connection: Connection) -> tuple[str, int]:
    """The user of a connection's client, and the number of its groups, where a Gateway has it."""
    worker: WorkerDescription = connection.worker
    return ("", 0) if worker._identity is None else worker._identity(connection)


def _key(sort: str) -> Callable[[Connection], Any]:
    order = SORTS[sort]
    read = [_READ[name] for name in order.columns]
    return lambda connection: order.key(*(each(connection) for each in read))


class Inspection:
    """Answers questions about a running worker; call `start` and `stop` in its event loop.

    Args:
        worker: a worker that has been started.
        drain: asks its clients to leave; None if nobody can order that.
        at_least: the least seconds between two samples for rates.
    """

    def __init__(
        self,
        worker: RunningWorker,
        drain: ProcessDrain | None = None,
        at_least: float = AT_LEAST,
    ) -> None:
        if worker.service is None:
            raise RuntimeError("defect: a worker is inspected before it was started")
        self._worker = worker
        self._drain = drain
        self._at_least = at_least
        self._service: Service = worker.service
        self._samples: deque[Sample] = deque(maxlen=3)
        self._timer: asyncio.TimerHandle | None = None
        self._started = usage.started()

    def start(self) -> None:
        """Begins to take samples for the rates."""
        self._samples.append(self._sample())
        self._timer = self._service.loop.call_later(SAMPLE_EVERY, self.start)

    def stop(self) -> None:
        """Stops sampling; questions are still answered."""
        if self._timer is not None:
            self._timer.cancel()

    def _sample(self) -> Sample:
        service = self._service
        totals = Traffic(*service.tally.carried(service.connections.values()))
        return Sample(time.monotonic(), totals, usage.cpu_seconds())

    def status(self, *, pss: bool = False, **_: Any) -> dict[str, Any]:
        """The figures of this process, as a `ProcessReport` in JSON.

        Args:
            pss: whether to measure the PSS too, for which the kernel visits all memory.
            **_: arguments of newer commands, which are ignored.
        """
        return self._report(pss).to_json()

    def _report(self, pss: bool) -> ProcessReport:
        service, told = self._service, self._worker.worker
        tally = service.tally
        sample = self._sample()
        certificates, tls = _certificates(self._worker), self._worker.live_tls
        rates, cpu = lately(self._samples, sample, self._at_least)
        used, limit = usage.descriptors()
        return ProcessReport(
            worker=told.name or _urls(self._worker),
            url=_urls(self._worker),
            pid=os.getpid(),
            started=self._started,
            version=VERSION,
            compiled=build.is_compiled(),
            rss=usage.rss(),
            pss=usage.pss() if pss else None,
            cpu_seconds=sample.cpu,
            cpu=cpu,
            connections=len(service.connections),
            handshakes=max(0, service.accepted - tally.ended - len(service.connections)),
            accepted=service.accepted,
            opened=service.opened,
            requests=service.plain_requests,
            totals=sample.totals,
            rates=rates,
            send_failures=service.send_failures,
            exceptions=service.exceptions,
            dropped=service.messages_dropped,
            lag=service.lag.last,
            worst_lag=service.lag.worst(sample.at),
            descriptors=used,
            max_descriptors=limit,
            certificates=shortlist(certificates),
            unlisted=max(0, len(certificates) - CERTIFICATES),
            unknown_names=0 if tls is None else tls.unknown_names,
            closes=dict(tally.closes),
            failures=dict(tally.failures),
            refusals={str(status): count for status, count in tally.refusals.items()},
            hits=dict(tally.hits),
            facts={} if told.facts is None else told.facts(),
            troubles=()
            if self._worker.worker.troubles is None
            else tuple(self._worker.worker.troubles()),
            drain_total=0 if self._drain is None else self._drain.total,
            drain_asked=0 if self._drain is None else self._drain.asked,
            inner=tuple(_about(each) for each in inner_workers.inside() if each.urls),
        )

    def counters(self) -> Counters:
        """Those figures that only grow."""
        return counters(self.status())

    async def tell(self, counted: Callable[[Counters], None]) -> None:
        """Calls `counted` with the counters every few seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            counted(self.counters())

    async def connections(self, **arguments: Any) -> bytes:
        """The connections of a selection.

        Args:
            **arguments: those of a `Selection`.

        Returns:
            JSON: `columns`, `rows` as lists in their order, the number of `matching` ones, the
            `total`, whether the selection `is_meant` for this process, and the names of `inner`
            workers.

        Raises:
            UsageError: the selection is invalid.
        """
        selection = Selection.from_json(arguments)
        found: list[Connection] = []
        total = 0
        is_meant = False
        inside = inner_workers.inside()
        each: Hosted
        for each in (self._worker, *inside):
            own = _connections(each)
            total += len(own)
            names = (None, *_names(each))
            if selection.worker in names and selection.pid in (None, os.getpid()):
                is_meant = True
                found += own
        chosen, matching = await self._choose(found, selection)
        parts = []
        for some in _slices(chosen):
            rows = [
                [*(_READ[name](each) for name in COLUMNS), self._inner_name(each)] for each in some
            ]
            parts.append(json.dumps(rows, separators=(",", ":"))[1:-1])
            await asyncio.sleep(0)
        told = {
            "columns": [*COLUMNS, WORKER],
            "matching": matching,
            "total": total,
            "is_meant": is_meant,
            "unconnected": [
                each.worker.name or _urls(each)
                for each in (self._worker, *inside)
                if each.urls and all(url.startswith("udp://") for url in each.urls)
            ],
            "inner": [worker.worker.name or _urls(worker) for worker in inside],
        }
        head = json.dumps(told)
        return f'{head[:-1]},"rows":[{",".join(parts)}]}}'.encode()

    def _inner_name(self, connection: Connection) -> str:
        """The name of the inner worker with the connection; empty for the outer worker."""
        worker = connection.worker
        return "" if worker is self._worker.worker else worker.name or ", ".join(worker.urls)

    async def _choose(
        self, found: list[Connection], selection: Selection
    ) -> tuple[list[Connection], int]:
        """The first matching connections of the order, and the number of all matching ones."""
        key = _key(selection.sort)
        best: list[tuple[Any, int, Connection]] = []
        limit = selection.limit if selection.limit <= SORTED else 0
        matching = 0
        network = selection.network()
        for some in _slices(found):
            fits = [(key(each), each.id, each) for each in some if _fits(each, selection, network)]
            matching += len(fits)
            best += fits
            if limit and len(best) > 2 * limit + SLICE:
                best = sorted(best, key=_place, reverse=selection.reverse)[:limit]
            await asyncio.sleep(0)
        if limit:
            best = sorted(best, key=_place, reverse=selection.reverse)[:limit]
        return [connection for _, _, connection in best], matching


def _urls(worker: Hosted) -> str:
    return ", ".join(worker.urls)


def _names(worker: Hosted) -> Sequence[str]:
    """The names by which a command may ask for a worker: its own, and those of its addresses."""
    return worker.worker.name, _urls(worker), *worker.urls, *texts_of(worker.worker.address)


def _about(worker: Hosted) -> Inner:
    service = worker.service
    if service is None:  # it has just ended
        return Inner(worker.worker.name, _urls(worker))
    return Inner(
        name=worker.worker.name,
        url=_urls(worker),
        connections=len(service.connections),
        messages=service.tally.carried(service.connections.values())[0],
        requests=service.plain_requests,
    )


def _connections(worker: Hosted) -> list[Connection]:
    handlers = () if worker.service is None else worker.service.poller.handlers()
    return [handler for handler in handlers if isinstance(handler, Connection)]


def shortlist(certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The certificates of a report: the default one, and the others that expire first."""
    others = sorted(certificates[1:], key=lambda certificate: certificate.expires)
    return (*certificates[:1], *others[: CERTIFICATES - 1])


def _place(item: tuple[Any, int, Connection]) -> tuple[Any, int]:
    return item[:2]


def _slices(found: list[Connection]) -> Iterator[list[Connection]]:
    for start in range(0, len(found), SLICE):
        yield found[start : start + SLICE]


def _fits(connection: Connection, selection: Selection, network: Network | None) -> bool:
    if connection.state == "closed":
        return False  # it has ended in the meantime
    if selection.state is not None and connection.state != selection.state:
        return False
    if selection.uid is not None and _identity(connection)[0] != selection.uid:
        return False
    if selection.idle_for and connection.idle < selection.idle_for:
        return False
    return network is None or is_in(network, connection.remote_ip)


def _certificates(worker: RunningWorker) -> tuple[Certificate, ...]:
    """The certificates that the worker serves now, the default one first."""
    return tuple(
        Certificate(
            subject=served.info.subject,
            names=served.info.names,
            serial=served.info.serial,
            expires=served.info.not_after.timestamp(),
            loaded=served.loaded_at.timestamp(),
            error=served.error,
        )
        for served in worker.certificates_served
    )
