"""The facts about a program, seen from inside: values only."""

from __future__ import annotations

from dataclasses import dataclass

from lineman.base.address import STREAMS
from lineman.doctor.facts import Outcome


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One worker of the program.

    Args:
        name: its name, or its address.
        fault: why it cannot start; the rest is then unknown. `fix`: what mends it.
        url: where it listens.
        host, port: of it; port 0 for a unix socket or one chosen at the start; no host and no path
            for a worker that only runs code.
        path: of a unix socket.
        is_tls: whether it speaks TLS itself.
        starts_tls: whether it may begin TLS in mid-connection.
        count: the number of its processes.
        has_gateway: whether it belongs to a gateway, which reaches the clients of all processes.
        trusts_proxies: whether it believes any proxy about the client's address.
        real_ip_header: the header that it reads; empty for every one, if all agree.
        wants_proxy_header: whether connections begin with a PROXY header.
        ping_interval: seconds; 0 for never.
        backlog: connections that may wait.
        listening: the outcome of a connection to it; None if there was no address to connect to.
        stranger: the other process that listens there; empty for none. `ending`: what ends it.
        speaks_tls: whether TLS is spoken at that port; None: not looked at.
        served, on_disk: SHA-256 of the certificates; empty: not looked at.
    """

    name: str
    fault: str = ""
    fix: str = ""
    url: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    is_tls: bool = False
    starts_tls: bool = False
    count: int = 1
    has_gateway: bool = False
    trusts_proxies: bool = False
    real_ip_header: str = ""
    wants_proxy_header: bool = False
    ping_interval: float = 25.0
    backlog: int = 4096
    listening: Outcome | None = None
    stranger: str = ""
    ending: str = ""
    speaks_tls: bool | None = None
    served: str = ""
    on_disk: str = ""

    @property
    def is_udp(self) -> bool:
        """Whether it takes datagrams: it has no connections, and no proxy in front."""
        return self.url.startswith("udp:")

    @property
    def scheme(self) -> str:
        """Of its address, without what says that it speaks TLS or listens at a path."""
        return self.url.partition(":")[0].partition("+")[0]

    @property
    def has_http(self) -> bool:
        """Whether its clients begin with HTTP, as websockets do."""
        return self.scheme not in STREAMS and not self.is_udp

    @property
    def has_websockets(self) -> bool:
        """Whether its clients may open websockets."""
        return self.scheme in ("ws", "wss")


@dataclass(frozen=True, slots=True)
class Machine:
    """The limits of the program and its machine.

    Args:
        max_files: file descriptors that a process may have: a process of the program if it runs,
            else this process after it has raised its limit as a program of Lineman does; None:
            without a limit.
        whose_files: the process of the program with that limit; 0: it does not run.
        somaxconn: connections that may wait at a listening socket.
        ports: how many local ports a proxy on this machine has for one upstream.
        user: numeric id of the user.
        lowest_port: the lowest port on which any user may listen.
    """

    max_files: int | None = None
    whose_files: int = 0
    somaxconn: int | None = None
    ports: int | None = None
    user: int = 0
    lowest_port: int = 1024


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """Everything that was seen of a program.

    Args:
        script: its path.
        workers: of it.
        machine: that it runs on.
        troubles: the faults that the running program reports.
        sends_to_all: the line of its source that sends to the connections of one process only;
            0: none was found.
    """

    script: str
    workers: tuple[WorkerFacts, ...]
    machine: Machine
    sends_to_all: int = 0
    troubles: tuple[str, ...] = ()
