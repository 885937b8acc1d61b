"""A service's state as Prometheus metrics, and whether it is ready. Pure.

Counters are summed over the processes of a worker, ended ones included, and never decrease. A
figure of one process, such as its memory, has the slot as a label. Labels come from the program and
from short lists, never from clients.

Source: https://prometheus.io/docs/practices/naming/ and …/instrumentation/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lineman.base.version import VERSION
from lineman.net.connection.end_causes import CLOSE_CAUSES, FAILURE_CAUSES
from lineman.net.connection.limits import HITS
from lineman.process.master.ended_counters import Counters, add, counters, highest
from lineman.process.messages.process_status import ChildStatus, ProcessReport, Status

STATES = ("starting", "ready", "busy", "retiring", "stopping", "down")

# Name, help, and a function that reads the number from the counters of a worker.
_COUNTERS: tuple[tuple[str, str, Callable[[Counters], float]], ...] = (
    ("accepted", "TCP connections accepted.", lambda had: had.get("accepted", 0)),
    ("opened", "Connections that became websockets.", lambda had: had.get("opened", 0)),
    ("messages_received", "Messages from clients.", lambda had: _total(had, "messages_in")),
    ("messages_sent", "Messages to clients.", lambda had: _total(had, "messages_out")),
    ("received_bytes", "Bytes from clients, after TLS.", lambda had: _total(had, "bytes_in")),
    ("sent_bytes", "Bytes to clients, before TLS.", lambda had: _total(had, "bytes_out")),
    (
        "send_failures",
        "Messages that were refused, and clients closed for reading too slowly.",
        lambda had: had.get("send_failures", 0),
    ),
    (
        "dropped_messages",
        "Messages that a policy for slow readers dropped.",
        lambda had: had.get("dropped", 0),
    ),
    (
        "requests",
        "Plain HTTP requests that were answered.",
        lambda had: had.get("requests", 0),
    ),
    (
        "callback_exceptions",
        "Callbacks of the program that raised an exception.",
        lambda had: had.get("exceptions", 0),
    ),
    (
        "unknown_names",
        "Clients that asked for a name that no certificate has, and got the default one.",
        lambda had: had.get("unknown_names", 0),
    ),
    ("cpu_seconds", "CPU time, user and system.", lambda had: had.get("cpu_seconds", 0)),
)

# Name, help, and a function that reads the number from a report; one figure for each process.
_GAUGES: tuple[tuple[str, str, Callable[[ProcessReport], float]], ...] = (
    ("connections", "Open connections.", lambda report: report.connections),
    (
        "handshakes",
        "Connections before the handshake, or while they close.",
        lambda report: report.handshakes,
    ),
    ("resident_memory_bytes", "Memory in use, shared included.", lambda report: report.rss),
    (
        "event_loop_lag_seconds",
        "The longest delay of the event loop within the last minute.",
        lambda report: report.worst_lag,
    ),
    ("open_fds", "File descriptors in use.", lambda report: report.descriptors),
    ("max_fds", "Limit of file descriptors.", lambda report: report.max_descriptors),
)


def _total(had: Counters, name: str) -> float:
    value: float = had.get("totals", {}).get(name, 0)
    return value


def readiness(status: Status, *, with_broker: bool = False) -> list[str]:
    """The reasons why the service cannot take clients, as texts; empty if it is ready.

    Args:
        status: the service's status.
        with_broker: whether a broker that is away is a reason too.
    """
    state = status.master.state
    if state not in ("running", "reloading"):
        return [f"the service is {state or 'not running'}"]
    ready = {child.worker for child in status.children if child.is_ready}
    missing = [f"{each} has no ready process" for each in status.workers() if each not in ready]
    missing += [
        f"process {child.pid} of {child.worker} reaches no business worker"
        for child in status.children
        if child.report is not None and child.report.facts.get("gateway_workers_ready", 1) == 0
    ]
    return missing + (status.troubles() if with_broker else [])


class Book:
    """The counters of each worker, which never decrease.

    If a process is too busy to answer, or was killed, its last reported counts are kept.
    """

    def __init__(self) -> None:
        self._told: dict[str, Counters] = {}
        self._restarts: dict[str, int] = {}

    def take(self, reply: Mapping[str, Any]) -> None:
        """Takes the master's reply to `status`."""
        sums: dict[str, Counters] = dict(reply.get("ended") or {})
        status = Status.from_json(reply)
        for child, told in zip(status.children, reply.get("children") or (), strict=True):
            known = (
                told.get("last") or {} if child.report is None else counters(child.report.to_json())
            )
            sums[child.worker] = add(sums.get(child.worker, {}), known)
        for worker, now in sums.items():
            self._told[worker] = highest(self._told.get(worker, {}), now)
        restarts: dict[str, int] = {}
        for worker, slot in {(child.worker, child.slot) for child in status.children}:
            here = [each for each in status.children if (each.worker, each.slot) == (worker, slot)]
            restarts[worker] = restarts.get(worker, 0) + max(each.restarts for each in here)
        for worker, count in restarts.items():
            self._restarts[worker] = max(self._restarts.get(worker, 0), count)

    def counted(self) -> Iterator[tuple[str, Counters]]:
        """Each worker with the counts of its processes."""
        yield from self._told.items()

    def restarts(self) -> Iterator[tuple[str, int]]:
        """Each worker with the number of its processes that ended without an order."""
        yield from self._restarts.items()


def families(status: Status, book: Book) -> Iterator[Metric]:
    """Every metric, for `prometheus_client`'s encoders.

    Args:
        status: the service's status.
        book: the counters; it has taken the same reply.
    """
    build = GaugeMetricFamily("lineman_build_info", "This copy.", labels=["version", "compiled"])
    compiled = any(report.compiled for report in status.reports())
    build.add_metric([VERSION, str(compiled).lower()], 1)
    yield build
    ready = GaugeMetricFamily("lineman_ready", "Whether every worker has a ready process.")
    ready.add_metric([], float(not readiness(status)))
    yield ready
    start = GaugeMetricFamily("lineman_start_time_seconds", "When the master started.")
    start.add_metric([], status.master.started)
    yield start
    yield _processes(status)
    yield from _gauges(status)
    yield from _facts(status)
    yield _certificates(status)
    yield from _counters(book)


def _processes(status: Status) -> Metric:
    family = GaugeMetricFamily(
        "lineman_processes", "Processes by their state.", labels=["worker", "state"]
    )
    for worker in status.workers():
        states = [_state(child) for child in status.children if child.worker == worker]
        for state in STATES:
            family.add_metric([worker, state], states.count(state))
    return family


def _state(child: ChildStatus) -> str:
    return "busy" if child.report is None and child.is_ready else child.state


def _gauges(status: Status) -> Iterator[Metric]:
    for name, text, value in _GAUGES:
        family = GaugeMetricFamily(f"lineman_{name}", text, labels=["worker", "slot"])
        figures: dict[tuple[str, str], float] = {}
        for child in status.children:
            if child.report is not None:
                key = (child.worker, str(child.slot))  # two for a while: one retires
                had, now = figures.get(key, 0.0), value(child.report)
                figures[key] = max(had, now) if "lag" in name or "max" in name else had + now
        for labels, figure in figures.items():
            family.add_metric(labels, figure)
        yield family


def _facts(status: Status) -> Iterator[Metric]:
    """Further figures of workers; a gauge for each name."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for child in status.children:
        facts = {} if child.report is None else child.report.facts
        for name, figure in facts.items():
            figures = found.setdefault(name, {})
            key = (child.worker, str(child.slot))  # two for a while: one retires
            figures[key] = figures.get(key, 0.0) + float(figure)
    for name, figures in found.items():
        text = f"{name.replace('_', ' ').capitalize()}."
        family = GaugeMetricFamily(f"lineman_{name}", text, labels=["worker", "slot"])
        for labels, figure in figures.items():
            family.add_metric(labels, figure)
        yield family


def _certificates(status: Status) -> Metric:
    family = GaugeMetricFamily(
        "lineman_certificate_expiry_timestamp_seconds",
        "When the certificate ends, in seconds since 1970; the earliest of all processes.",
        labels=["worker", "name"],
    )
    ends: dict[tuple[str, str], float] = {}
    for child in status.children:
        for certificate in () if child.report is None else child.report.certificates:
            name = certificate.names[0] if certificate.names else certificate.subject
            key = (child.worker, name)
            ends[key] = min(ends.get(key, certificate.expires), certificate.expires)
    for labels, end in ends.items():
        family.add_metric(labels, end)
    return family


def _counters(book: Book) -> Iterator[Metric]:
    for name, text, value in _COUNTERS:
        family = CounterMetricFamily(f"lineman_{name}", text, labels=["worker"])
        for worker, had in book.counted():
            family.add_metric([worker], value(had))
        yield family
    yield _by_label(book, "closes", "How open connections ended.", "cause", CLOSE_CAUSES)
    text = "How connections ended that never became websockets."
    yield _by_label(book, "failures", text, "cause", FAILURE_CAUSES, "handshake_failures")
    text = "Handshakes and plain requests answered with an HTTP error."
    yield _by_label(book, "refusals", text, "status", (), "refused_requests")
    text = "Clients and messages that a limit refused."
    yield _by_label(book, "hits", text, "limit", HITS, "limit_hits")
    restarts = CounterMetricFamily(
        "lineman_process_restarts", "Processes that ended without an order.", labels=["worker"]
    )
    for worker, count in book.restarts():
        restarts.add_metric([worker], count)
    yield restarts


def _by_label(
    book: Book, part: str, text: str, label: str, known: tuple[str, ...], name: str = ""
) -> Metric:
    family = CounterMetricFamily(f"lineman_{name or part}", text, labels=["worker", label])
    for worker, had in book.counted():
        figures = {**dict.fromkeys(known, 0), **had.get(part, {})}
        for value, count in figures.items():
            family.add_metric([worker, value], count)
    return family
