"""The table of connections: selection, order and rows, as processes send them. Pure.

Every child filters, sorts and limits its own connections. The command merges the rows of all
children, and sorts and limits them again.
"""

from __future__ import annotations

import ipaddress
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeAlias

from lineman.errors import UsageError
from lineman.process.messages.lines import clean

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

STATES = ("handshake", "open", "closing", "finishing")


@dataclass(frozen=True, slots=True)
class Row:
    """One connection.

    Attributes:
        id: its number in its process.
        protocol: `ws` or `wss`.
        tls: the TLS version; `cipher` is the cipher; None without TLS.
        ip: the client's address; behind a proxy the one that the proxy reports, as `port`.
        peer: `ip:port` of the other end of TCP.
        path: the requested path; empty before the request.
        address: where it has come in, as the program writes the address; empty where the worker has
            only one.
        since: seconds since it was opened; None if it is not open yet.
        idle: seconds since the client sent something.
        buffered: bytes that wait for the client to read.
        reason: why it is closing, as text.
        uid: the user that a Gateway has bound its client to; empty for none.
        groups: the number of the client's groups in a Gateway.
        worker, slot, pid: the process that has it. The command adds these, except the name of an
            inner worker.
    """

    id: int = 0
    protocol: str = ""
    tls: str | None = None
    cipher: str | None = None
    subprotocol: str | None = None
    ip: str = ""
    port: int = 0
    peer: str = ""
    path: str = ""
    address: str = ""
    since: float | None = None
    idle: float = 0.0
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    buffered: int = 0
    state: str = ""
    reason: str = ""
    uid: str = ""
    groups: int = 0
    worker: str = ""
    slot: int = 0
    pid: int = 0


_LONGEST_NAME = 200
_NAMES = tuple(each.name for each in fields(Row))
# The columns that a child sends, in this order; the command adds the others.
COLUMNS = _NAMES[: _NAMES.index("worker")]
# One more column: the inner worker with the connection; empty for the outer worker.
WORKER = "worker"


def by_ip(text: str) -> tuple[int, int]:
    """An address as numbers, so that 10.0.0.9 comes before 10.0.0.10."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return 9, 0  # `unknown` comes last
    return address.version, int(address)


@dataclass(frozen=True, slots=True)
class SortOrder:
    """An order of rows; the most interesting rows come first.

    Attributes:
        columns: the names of the values that decide, as in `Row`.
        key: makes the key for sorting from these values.
    """

    columns: tuple[str, ...]
    key: Callable[..., Any]


SORTS: dict[str, SortOrder] = {
    "id": SortOrder(("id",), lambda number: number),
    "age": SortOrder(
        ("since",), lambda since: since or math.inf
    ),  # connections that are not open yet come last
    "idle": SortOrder(("idle",), operator.neg),
    "messages": SortOrder(("messages_in", "messages_out"), lambda came, left: -(came + left)),
    "bytes": SortOrder(("bytes_in", "bytes_out"), lambda came, left: -(came + left)),
    "buffered": SortOrder(("buffered",), operator.neg),
    "ip": SortOrder(("ip",), by_ip),
}


def sort_key(sort: str, row: Row) -> tuple[Any, ...]:
    """The sort key of a row; rows with equal values are in the order of their ids."""
    order = SORTS[sort]
    return order.key(*(getattr(row, name) for name in order.columns)), row.pid, row.id


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of connections.

    Attributes:
        worker: only those of this worker, by name or address; None for all.
        pid: only those of this process.
        ip: only clients from this address or network, such as `10.0.0.0/8`.
        state: only those in this state, one of `STATES`.
        idle_for: only those that have been silent for at least this number of seconds.
        sort: the order, one of `SORTS`.
        reverse: whether the order is reversed.
        limit: the largest number of rows; 0 for all.
        uid: only the clients of this user of a Gateway.
    """

    worker: str | None = None
    pid: int | None = None
    ip: str | None = None
    state: str | None = None
    idle_for: float = 0.0
    sort: str = "id"
    reverse: bool = False
    limit: int = 0
    uid: str | None = None

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise UsageError(f"cannot sort by {self.sort!r}; there are {', '.join(SORTS)}")
        if self.state is not None and self.state not in STATES:
            raise UsageError(f"no state is {self.state!r}; there are {', '.join(STATES)}")
        if self.limit < 0:
            raise UsageError(f"limit is {self.limit}; give 1 or more, or 0 for all")
        if self.ip is not None:
            self.network()

    def network(self) -> Network | None:
        """The network that `ip` names; None for any address.

        Raises:
            UsageError: it is neither an address nor a network.
        """
        if self.ip is None:
            return None
        try:
            return ipaddress.ip_network(self.ip, strict=False)
        except ValueError:
            raise UsageError(
                f"{self.ip!r} is no address or network; write it like 10.1.2.3 or 10.0.0.0/8"
            ) from None

    def to_json(self) -> dict[str, Any]:
        """The arguments of the question."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, arguments: Mapping[str, Any]) -> Self:
        """The selection of a question; unknown arguments of newer commands are ignored."""
        names = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in arguments.items() if name in names})


def is_in(network: Network, ip: str) -> bool:
    """Whether an address, as text, is in a network; `unknown` is in none."""
    try:
        return ipaddress.ip_address(ip) in network
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class FoundRows:
    """The rows of all processes.

    Attributes:
        rows: the rows in order, at most as many as were asked for.
        matching: the number of connections that match.
        total: the number of all connections.
        busy: pids of processes that did not answer in time.
        unconnected: workers that take datagrams, and so have no connections for them.
    """

    rows: tuple[Row, ...]
    matching: int
    total: int
    busy: tuple[int, ...]
    unconnected: tuple[str, ...] = ()


def merge(reply: Mapping[str, Any], selection: Selection) -> FoundRows:
    """The reply to the command `connections`, in one order.

    Args:
        reply: the answers of all children, each with `columns`, `rows`, `matching` and `total`.
        selection: what was asked for.
    """
    import msgspec  # where it is read; the processes that serve do without

    rows: list[Row] = []
    matching = total = 0
    busy: list[int] = []
    unconnected: list[str] = []
    for child in reply.get("children") or ():
        try:
            told = msgspec.convert(child.get("answer"), _Answer)
            rows.extend(msgspec.convert(list(_unpack(child, told)), list[Row]))
        except (ValueError, IndexError):  # an invalid answer counts as none
            busy.append(child.get("pid") or 0)
            continue
        matching += told.matching
        total += told.total
        unconnected += [clean(name, _LONGEST_NAME) for name in told.unconnected]
    rows.sort(key=lambda row: sort_key(selection.sort, row), reverse=selection.reverse)
    chosen, names = tuple(rows[: selection.limit or None]), tuple(dict.fromkeys(unconnected))
    return FoundRows(chosen, matching, total, tuple(busy), names)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer of a child: rows of values, in the order of its columns."""

    rows: list[list[Any]]
    columns: list[str] = field(default_factory=lambda: list(COLUMNS))
    matching: int = 0
    total: int = 0
    is_meant: bool = True
    unconnected: list[str] = field(default_factory=list)


def check_meant(reply: Mapping[str, Any], selection: Selection) -> None:
    """Checks that a process matches `worker` and `pid`; a busy one may match.

    Raises:
        UsageError: no process matches; the message names those that exist.
    """
    children = list(reply.get("children") or ())
    answers = [child.get("answer") for child in children]
    if not answers or not all(
        isinstance(answer, Mapping) and answer.get("is_meant") is False for answer in answers
    ):
        return
    workers = dict.fromkeys(str(child.get("worker")) for child in children)
    for answer in answers:
        inner = answer.get("inner")
        for name in inner if isinstance(inner, list) else ():
            workers[clean(str(name), _LONGEST_NAME)] = None
    if selection.worker is not None and selection.pid is None:
        raise UsageError(f"there is no worker {selection.worker!r}; there are {', '.join(workers)}")
    processes = ", ".join(f"{child.get('pid')} ({child.get('worker')})" for child in children)
    whose = "" if selection.worker is None else f" of a worker {selection.worker!r}"
    raise UsageError(f"there is no process {selection.pid}{whose}; there are {processes}")


def _unpack(child: Mapping[str, Any], told: _Answer) -> Iterable[dict[str, Any]]:
    whose = {name: child[name] for name in ("worker", "slot", "pid") if name in child}
    known = [(place, name) for place, name in enumerate(told.columns) if name in COLUMNS]
    inner = told.columns.index(WORKER) if WORKER in told.columns else None
    for values in told.rows:
        row = {**{name: values[place] for place, name in known}, **whose}
        if inner is not None and values[inner]:
            row[WORKER] = values[inner]
        yield row
