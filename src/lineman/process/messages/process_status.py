"""The status of a service: the values, and their form as JSON. Pure.

A child answers `status` with a `ProcessReport`; the master puts those of all children into one
reply.
While a service is reloaded, processes of two versions talk to each other: unknown values are left
out, and missing values have a default.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages and payload bytes, in from clients and out to them: totals, or a second's."""

    messages_in: float = 0
    messages_out: float = 0
    bytes_in: float = 0
    bytes_out: float = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def since(self, earlier: Traffic, seconds: float) -> Traffic:
        """The traffic of each second since an earlier total; zeros if no time has passed."""
        if seconds <= 0:
            return Traffic()
        pairs = zip(_values(self), _values(earlier), strict=True)
        return Traffic(*(max(0.0, now - before) / seconds for now, before in pairs))


def _values(traffic: Traffic) -> tuple[float, ...]:
    return (traffic.messages_in, traffic.messages_out, traffic.bytes_in, traffic.bytes_out)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that new clients get.

    Attributes:
        subject: the distinguished name.
        names: the DNS names and IP addresses for which it is valid.
        serial: hexadecimal.
        expires: the end of its time, in seconds since 1970.
        loaded: when this process began to use it, in seconds since 1970; 0 for unknown.
        error: why the present files are not used; empty if they are.
    """

    subject: str = ""
    names: tuple[str, ...] = ()
    serial: str = ""
    expires: float = 0.0
    loaded: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Inner:
    """A worker that the program has started inside the worker of the report.

    Attributes:
        url: the address that it listens on.
        connections: open connections.
        messages: messages from clients so far.
        requests: plain requests that were answered so far.
    """

    name: str = ""
    url: str = ""
    connections: int = 0
    messages: float = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """The status of one child.

    Attributes:
        worker: the worker's name, or its address if it has none.
        url: the address for clients.
        started: seconds since 1970.
        version: of lineman; `compiled` says how its data path was built.
        rss: bytes of memory in use, shared ones included; `pss` with a fair share of those.
        cpu_seconds: CPU time since the start, user and system; `cpu` is the recent share of a core.
        connections: open connections; `handshakes` are in progress.
        accepted: connections so far; `opened` are those that became websockets.
        requests: plain ones, no handshakes, that were answered.
        totals: traffic since the start; `rates` are the recent ones of each second.
        send_failures: messages that were refused, and clients that read too slowly.
        exceptions: callbacks that raised.
        dropped: messages that a policy for slow readers left out.
        lag: seconds by which the event loop was late; `worst_lag` within the last minute.
        descriptors: in use; `max_descriptors` is the limit, 0 for unknown.
        certificates: those that it serves, the default first; empty where it speaks plain ws, or
            nothing is known of them. `unlisted` are further ones, later to expire.
        unknown_names: clients that asked for a name that no certificate has.
        closes: how open connections ended, by cause.
        failures: how handshakes failed, by cause.
        refusals: requests answered with an HTTP error, by status.
        hits: how often a limit refused a client or a message, by the limit's name.
        facts: further figures of the worker by name; true counts as 1, false as 0.
        troubles: problems of a worker that still accepts clients, as texts.
        drain_total: clients that the present drain asks to leave; `drain_asked` were asked so far.
        inner: inner workers; all figures above are without theirs.
    """

    worker: str = ""
    url: str = ""
    pid: int = 0
    started: float = 0.0
    version: str = ""
    compiled: bool = False
    rss: int = 0
    pss: int | None = None
    cpu_seconds: float = 0.0
    cpu: float = 0.0
    connections: int = 0
    handshakes: int = 0
    accepted: int = 0
    opened: int = 0
    requests: int = 0
    totals: Traffic = field(default_factory=Traffic)
    rates: Traffic = field(default_factory=Traffic)
    send_failures: int = 0
    exceptions: int = 0
    dropped: int = 0
    lag: float = 0.0
    worst_lag: float = 0.0
    descriptors: int = 0
    max_descriptors: int = 0
    certificates: tuple[Certificate, ...] = ()
    unlisted: int = 0
    unknown_names: int = 0
    closes: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    hits: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, bool | float] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    drain_total: int = 0
    drain_asked: int = 0
    inner: tuple[Inner, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as values that JSON has."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """A report as a child of any version has sent it.

        Raises:
            ValueError: it is no report.
        """
        import msgspec  # where it is read; the processes that serve do without

        return msgspec.convert(value, cls)


@dataclass(frozen=True, slots=True)
class MasterStatus:
    """The status of the master.

    Attributes:
        started: seconds since 1970.
        state: `starting`, `running`, `reloading`, `draining` or `stopping`.
        script: the program.
        drain_share: the share of the clients that the present drain asks to leave; 0 without one.
        drain_ends: when the last of them is asked, in seconds since 1970.
    """

    pid: int = 0
    started: float = 0.0
    state: str = ""
    script: str = ""
    version: str = ""
    drain_share: float = 0.0
    drain_ends: float = 0.0


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One process: the master's data about it, and its own report.

    Attributes:
        worker: the worker's name, or its address if it has none.
        slot: the number of the process in the worker.
        pid: its pid; None while there is no process.
        state: `starting`, `ready`, `retiring`, `stopping`, or `down` while there is none.
        restarts: how often a process of this slot has ended without an order.
        last_cause: why the last of those did.
        report: None if it did not answer in time: it is busy.
        takes_clients: whether clients connect to it; others run code, or serve metrics.
    """

    worker: str = ""
    slot: int = 0
    pid: int | None = None
    state: str = ""
    restarts: int = 0
    last_cause: str = ""
    report: ProcessReport | None = None
    takes_clients: bool = True

    @property
    def is_ready(self) -> bool:
        """Whether it accepts clients."""
        return self.state == "ready"


@dataclass(frozen=True, slots=True)
class Status:
    """The whole service."""

    master: MasterStatus
    children: tuple[ChildStatus, ...]

    @classmethod
    def from_json(cls, reply: Mapping[str, Any]) -> Self:
        """The reply to the command `status`."""
        children = [_child(child) for child in reply.get("children") or ()]
        return cls(MasterStatus(**_known(MasterStatus, reply.get("master") or {})), tuple(children))

    @property
    def is_draining(self) -> bool:
        """Whether new clients are refused because the node is drained."""
        return self.master.state == "draining"

    def workers(self) -> list[str]:
        """The names of the workers, in the order of their first process."""
        return list(dict.fromkeys(child.worker for child in self.children))

    def troubles(self) -> list[str]:
        """The problems of workers, each once, with the worker's name."""
        found = [
            f"{child.worker}: {trouble}"
            for child in self.children
            if child.report is not None
            for trouble in child.report.troubles
        ]
        return list(dict.fromkeys(found))

    def reports(self, worker: str | None = None) -> list[ProcessReport]:
        """The reports of the processes of one worker, or of all."""
        return [
            child.report
            for child in self.children
            if child.report is not None and worker in (None, child.worker)
        ]


def _child(value: Mapping[str, Any]) -> ChildStatus:
    known = _known(ChildStatus, value)
    known.pop("report", None)
    answer = value.get("answer")
    if isinstance(answer, Mapping) and "error" not in answer:
        with contextlib.suppress(ValueError):  # as one that does not answer
            known["report"] = ProcessReport.from_json(answer)
    return ChildStatus(**known)


def _known(kind: type, value: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(kind)}
    return {name: each for name, each in value.items() if name in names}


@dataclass(frozen=True, slots=True)
class Sample:
    """The counts at one moment.

    Attributes:
        at: seconds on a clock that does not go back.
        cpu: seconds spent so far.
    """

    at: float
    totals: Traffic
    cpu: float


def lately(samples: Iterable[Sample], now: Sample, at_least: float) -> tuple[Traffic, float]:
    """The recent traffic of each second, and the share of one core that was used.

    Args:
        samples: earlier ones, the oldest first.
        now: the present one.
        at_least: the least seconds between the two samples that are compared.
    """
    before = [sample for sample in samples if now.at - sample.at >= at_least > 0]
    if not before:
        return Traffic(), 0.0
    start = before[-1]
    seconds = now.at - start.at
    return now.totals.since(start.totals, seconds), max(0.0, now.cpu - start.cpu) / seconds
