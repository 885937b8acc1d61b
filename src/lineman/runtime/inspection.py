"""Looking into a worker that runs in this process: its figures, and its connections.

It costs the data path nothing: what connections have counted is added up when somebody asks, and
every ten seconds for the rates. Long tables are gathered in slices, so that the event loop has
its turn in between.
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
from lineman.runtime.running_worker import RunningWorker

SAMPLE_EVERY = 10.0
# What a process that is killed takes with it was counted within this time.
TELL_EVERY = 5.0
# Rates are those since a sample that is at least so old.
AT_LEAST = 2.0
# Connections looked at before the event loop has its turn: less than a millisecond of work.
SLICE = 250
# The certificates of a report; of thousands, those that expire first.
CERTIFICATES = 20
# A table that may be longer than this is sorted by the command alone: sorting stops the service.
SORTED = 5000


# The columns of a row, read from a connection. To sort, those that decide are enough: rows are made
# of those connections only that are shown.
_READ: dict[str, Callable[[Connection], Any]] = {
    "id": lambda connection: connection.id,
    "protocol": lambda connection: "ws" if connection.service.tls_context is None else "wss",
    "tls": lambda connection: connection.tls_version,
    "cipher": lambda connection: connection.tls_cipher,
    "subprotocol": lambda connection: connection.subprotocol,
    "ip": lambda connection: connection.remote_ip,
    "port": lambda connection: connection.remote_port,
    "peer": lambda connection: connection.peer_address,
    "path": lambda connection: "" if connection.request is None else connection.request.path,
    "since": lambda connection: connection.opened_at or None,
    "idle": lambda connection: round(connection.idle, 3),
    "messages_in": lambda connection: connection.messages_read,
    "messages_out": lambda connection: connection.messages_written,
    "bytes_in": lambda connection: connection.bytes_read,
    "bytes_out": lambda connection: connection.bytes_written,
    "buffered": lambda connection: connection.unsent,
    "state": lambda connection: connection.state,
    "reason": lambda connection: connection.close_reason,
}


def _key(sort: str) -> Callable[[Connection], Any]:
    order = SORTS[sort]
    read = [_READ[name] for name in order.columns]
    return lambda connection: order.key(*(each(connection) for each in read))


class Inspection:
    """Answers what is asked about a running worker; `start` and `stop` belong to its event loop.

    Args:
        worker: one that has been started.
        at_least: seconds that two samples are apart for rates between them.
    """

    def __init__(self, worker: RunningWorker, at_least: float = AT_LEAST) -> None:
        if worker.service is None:
            raise RuntimeError("defect: a worker is inspected before it was started")
        self._worker = worker
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
            pss: whether to measure that too; the kernel walks through all memory for it.
            **_: what a newer command asks besides.
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
            worker=told.name or self._worker.url,
            url=self._worker.url,
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
            inner=tuple(_about(each) for each in inner_workers.inside() if each.url),
        )

    def counters(self) -> Counters:
        """What only ever grows of the figures."""
        return counters(self.status())

    async def tell(self, counted: Callable[[Counters], None]) -> None:
        """Passes the counters on every few seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            counted(self.counters())

    async def connections(self, **arguments: Any) -> bytes:
        """The connections that are asked for.

        Args:
            **arguments: of a `Selection`.

        Returns:
            JSON: `columns`, `rows` as lists in their order, how many are `matching`, the `total`,
            whether anything here `is_meant` by the selection, and the names of `inner` workers.

        Raises:
            UsageError: no such selection.
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
            names = (None, each.worker.name, each.url, each.worker.address)
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
            "inner": [worker.worker.name or worker.url for worker in inside],
        }
        head = json.dumps(told)
        return f'{head[:-1]},"rows":[{",".join(parts)}]}}'.encode()

    def _inner_name(self, connection: Connection) -> str:
        """The inner worker with the connection; empty for the outer one, which the master names."""
        worker = connection.worker
        return "" if worker is self._worker.worker else worker.name or worker.url

    async def _choose(
        self, found: list[Connection], selection: Selection
    ) -> tuple[list[Connection], int]:
        """Those that fit and come first, and how many fit."""
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


def _about(worker: Hosted) -> Inner:
    service = worker.service
    if service is None:  # it has just ended
        return Inner(worker.worker.name, worker.url)
    return Inner(
        name=worker.worker.name,
        url=worker.url,
        connections=len(service.connections),
        messages=service.tally.carried(service.connections.values())[0],
        requests=service.plain_requests,
    )


def _connections(worker: Hosted) -> list[Connection]:
    handlers = () if worker.service is None else worker.service.poller.handlers()
    return [handler for handler in handlers if isinstance(handler, Connection)]


def shortlist(certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The certificates of a report: the default one, and of the others those that end first."""
    others = sorted(certificates[1:], key=lambda certificate: certificate.expires)
    return (*certificates[:1], *others[: CERTIFICATES - 1])


def _place(item: tuple[Any, int, Connection]) -> tuple[Any, int]:
    return item[:2]


def _slices(found: list[Connection]) -> Iterator[list[Connection]]:
    for start in range(0, len(found), SLICE):
        yield found[start : start + SLICE]


def _fits(connection: Connection, selection: Selection, network: Network | None) -> bool:
    if connection.state == "closed":
        return False  # it has ended since the others were looked at
    if selection.state is not None and connection.state != selection.state:
        return False
    if selection.idle_for and connection.idle < selection.idle_for:
        return False
    return network is None or is_in(network, connection.remote_ip)


def _certificates(worker: RunningWorker) -> tuple[Certificate, ...]:
    """What the worker serves now, the default certificate first."""
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
