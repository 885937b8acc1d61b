"""The table of checks for a program (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from lineman.base.address import without_tls
from lineman.base.finding import Finding
from lineman.base.program_words import command_line
from lineman.doctor.checks.check_type import error, info, ok, warning
from lineman.doctor.facts import Outcome
from lineman.doctor.program_facts import ProgramFacts, WorkerFacts

MIN_FILES = 4096  # descriptors; a connection takes one
MIN_PORTS = 16000
_PROXY_PING = 60.0  # seconds; the smallest idle limit of a proxy left at its default


def judge(facts: ProgramFacts) -> list[Finding]:
    """Every finding, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: -finding.level)


def starts(facts: ProgramFacts) -> Iterator[Finding]:
    """The faults that keep a worker from starting."""
    for worker in facts.workers:
        if worker.fault:
            yield error("worker-cannot-start", f"{worker.name}: {worker.fault}", worker.fix)


def runs(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether each worker is running, and no other process answers in its place."""
    for worker in _sound(facts):
        where = worker.url if worker.name == worker.url else f"{worker.name}: {worker.url}"
        if worker.stranger:
            yield error(
                "worker-other-program",
                f"{where}: {worker.stranger} listens there, and does not belong to {facts.script}",
                f"{worker.ending}; or listen somewhere else",
            )
        elif worker.listening is Outcome.DONE:
            yield ok("worker-running", f"{where} is running")
        elif worker.listening is not None:
            yield error(
                "worker-not-running",
                f"{where}: nothing listens there",
                command_line(facts.script, "start"),
            )


def says(facts: ProgramFacts) -> Iterator[Finding]:
    """The troubles that the running program reports."""
    for trouble in facts.troubles:
        seen, _, fix = trouble.partition("; fix: ")
        fix = fix or f"see its log, and: lineman status {facts.script}"
        yield error("worker-in-trouble", seen, fix)


def speaks(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether what answers at a worker's port is that worker."""
    for worker in _sound(facts):
        if worker.stranger or worker.speaks_tls in (None, worker.is_tls):
            continue
        does, should = ("TLS", "none") if worker.speaks_tls else ("no TLS", "it")
        yield error(
            "worker-other-program",
            f"{worker.name}: the process that listens on port {worker.port} speaks {does}, and the "
            f"program says {should}: it is an older start, or another program",
            f"ss -ltnp 'sport = :{worker.port}' says who; end that, and "
            f"start again: {command_line(facts.script, 'restart')}",
        )


def certificate(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether the certificate on disk is the one that is served."""
    for worker in _sound(facts):
        if not worker.served or not worker.on_disk or not worker.is_tls or worker.stranger:
            continue
        if worker.served == worker.on_disk:
            yield ok("cert-served", f"{worker.name} serves the certificate on disk")
        else:
            yield error(
                "cert-served-differs",
                f"{worker.name} serves another certificate than the one on disk",
                "wait a moment, the worker reads it; otherwise its log says why not (a key that "
                "does "
                "not belong to it?)",
            )


def addresses(facts: ProgramFacts) -> Iterator[Finding]:
    """Where the workers listen, and which clients can reach them there."""
    for worker in _connected(facts):
        if worker.path:
            continue
        if _is_loopback(worker.host) and worker.is_tls:
            yield warning(
                "worker-loopback-only",
                f"{worker.name} speaks TLS on {worker.host}: only programs on this machine "
                "reach it",
                f"{worker.scheme}://0.0.0.0:{worker.port} for clients; "
                f"{without_tls(worker.scheme)}:// behind a proxy that ends TLS"
                if worker.has_http
                else f"{worker.scheme}://0.0.0.0:{worker.port} for clients; or no certificate "
                "behind a proxy that ends TLS",
            )
        elif not _is_loopback(worker.host) and worker.starts_tls:
            yield info(
                "worker-starts-tls",
                f"{worker.name} begins in the clear on {worker.host}, until start_tls(): somebody "
                "between it and its clients can take the offer of TLS away",
                "have the program and its clients refuse to go on without TLS; or listen on "
                f"{worker.scheme}+tls:// as well",
            )
        elif not _is_loopback(worker.host) and not worker.is_tls and not worker.has_http:
            yield warning(
                "worker-open-without-tls",
                f"{worker.name} speaks no TLS on {worker.host}: anybody between it and its "
                "clients can read and change everything",
                f'cert="…", key="…"; or {worker.scheme}://127.0.0.1:{worker.port} behind a proxy '
                "on this machine that ends TLS",
            )
        elif not _is_loopback(worker.host) and not worker.is_tls:
            yield warning(
                "worker-open-without-tls",
                f"{worker.name} speaks no TLS on {worker.host}: clients that reach the port can "
                "bypass the proxy",
                f"{worker.scheme}://127.0.0.1:{worker.port} behind a proxy on this machine; or "
                f"{worker.scheme}s://",
            )


def real_ip(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether the clients' addresses get through a proxy."""
    for worker in _connected(facts):
        if not worker.has_http:
            continue  # only the PROXY protocol could name them
        if worker.trusts_proxies and worker.real_ip_header == "x-real-ip":
            yield info(
                "real-ip-by-x-real-ip",
                f"{worker.name} believes X-Real-IP: a proxy that does not set it lets each client "
                "choose its own address, as Apache does without a configuration",
                "lineman doctor wss://your.site/path claims another address and says whether that "
                'is believed; Apache always writes X-Forwarded-For: real_ip_header="x-forwarded-'
                'for"',
            )
        if worker.trusts_proxies or worker.is_tls:
            continue
        trust = 'Worker(…, trusted_proxies=["{}"], real_ip_header="x-real-ip"); and the proxy sets '
        trust += "it: proxy_set_header X-Real-IP $remote_addr;"
        if worker.path:
            yield warning(
                "real-ip-untrusted",
                f"{worker.name} is reached by a unix socket, so by a proxy, and trusts none: "
                "remote_ip is the proxy's for every client",
                trust.format("unix"),
            )
        elif _is_loopback(worker.host):
            yield info(
                "real-ip-untrusted",
                f"only this machine reaches {worker.name}, which is right for a test; is it behind "
                "a proxy? It trusts none, so remote_ip would be the proxy's for every client",
                f"behind a proxy: {trust.format('127.0.0.1/32')}",
            )


def processes(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether a message to all clients reaches only those of one process."""
    for worker in _connected(facts):
        if worker.count == 1 or worker.has_gateway or worker.scheme in ("http", "https"):
            continue  # any process answers a request
        seen = f"{worker.name} runs in {worker.count} processes, and each has its own connections"
        fix = "count=1, or a Gateway, which reaches every client"
        if facts.sends_to_all:
            line = f"; line {facts.sends_to_all} of {facts.script} sends to those of one process"
            yield warning("processes-without-gateway", seen + line, fix)
        else:
            yield info("processes-without-gateway", seen, fix)


def pings(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether a silent connection outlives a proxy's idle limit."""
    for worker in _connected(facts):
        if not worker.has_websockets:
            continue  # TCP keepalive sends nothing that a proxy counts
        if worker.ping_interval == 0 or worker.ping_interval >= _PROXY_PING:
            how = f"every {worker.ping_interval:g} s" if worker.ping_interval else "never"
            yield warning(
                "no-server-ping",
                f"{worker.name} pings {how}: nginx cuts a silent connection after 60 s",
                "ping_interval=25",
            )


def limits(facts: ProgramFacts) -> Iterator[Finding]:
    """The machine's limits on descriptors, ports and waiting connections."""
    machine = facts.machine
    if machine.max_files is not None and machine.max_files < MIN_FILES:
        pid = machine.whose_files
        who, where = (
            (f"process {pid}", f"/proc/{pid}/limits") if pid else ("a process", "ulimit -Hn")
        )
        yield warning(
            "file-limit",
            f"{who} may have {machine.max_files} file descriptors ({where}), and each client needs "
            "one",
            "systemd: LimitNOFILE=65535; a container: --ulimit nofile=65535; a shell: "
            f"/etc/security/limits.conf; and restart: {command_line(facts.script, 'restart')}",
        )
    backlog = max((worker.backlog for worker in _connected(facts)), default=0)
    if machine.somaxconn is not None and machine.somaxconn < backlog:
        yield warning(
            "backlog-limit",
            f"{machine.somaxconn} connections may wait to be accepted, and the worker asks for "
            f"{backlog}",
            f"sysctl -w net.core.somaxconn={backlog}  (for good: /etc/sysctl.d/)",
        )
    behind = [worker for worker in _connected(facts) if not worker.is_tls and not worker.path]
    if behind and machine.ports is not None and machine.ports < MIN_PORTS:
        yield warning(
            "port-range",
            f"a proxy on this machine has {machine.ports} ports for its connections to the service",
            'sysctl -w net.ipv4.ip_local_port_range="10240 65535", or a unix socket '
            "(ws+unix:///run/app.sock)",
        )


def rights(facts: ProgramFacts) -> Iterator[Finding]:
    """Whether this user may listen where a worker does not run yet."""
    machine = facts.machine
    for worker in _sound(facts):
        if machine.user and 0 < worker.port < machine.lowest_port and not _runs(worker):
            yield error(
                "port-not-allowed",
                f"{worker.name}: user {machine.user} may not listen on port {worker.port}",
                "setcap cap_net_bind_service=+ep on the interpreter, systemd "
                "(AmbientCapabilities=CAP_NET_BIND_SERVICE), or a port from 1024 on",
            )


def _runs(worker: WorkerFacts) -> bool:
    return worker.listening is Outcome.DONE and not worker.stranger


def _sound(facts: ProgramFacts) -> Iterator[WorkerFacts]:
    """Those that could start and have an address to listen on."""
    return (worker for worker in facts.workers if not worker.fault and (worker.host or worker.path))


def _connected(facts: ProgramFacts) -> Iterator[WorkerFacts]:
    """Those of them that have connections."""
    return (worker for worker in _sound(facts) if not worker.is_udp)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


CHECKS: tuple[Callable[[ProgramFacts], Iterator[Finding]], ...] = (
    starts,
    rights,  # before `runs`: it says why nothing listens
    runs,
    says,
    speaks,
    certificate,
    addresses,
    real_ip,
    processes,
    pings,
    limits,
)
