"""Looks at a program from inside: its workers, its files, the machine's limits."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lineman.base import address as addresses
from lineman.base.address import STREAMS, Address
from lineman.doctor.facts import Outcome
from lineman.doctor.looks import tls
from lineman.doctor.looks.name_resolution import reach
from lineman.doctor.looks.probe import Ask, Way, shake_hands
from lineman.doctor.looks.strangers import masters_of, stranger_at
from lineman.doctor.program_facts import Machine, ProgramFacts, WorkerFacts
from lineman.errors import ConfigError
from lineman.net.listening import portholder
from lineman.process.master.describing import ends_early
from lineman.process.master.description import Place
from lineman.process.master.survey import Survey, Surveyed
from lineman.process.messages.process_status import Status
from lineman.process.rundir.control_request import NotRunning, ask
from lineman.process.rundir.owner import Owner, acting_as
from lineman.process.rundir.procfs import children_of
from lineman.process.rundir.rundir import find_pid_file, holder, name_of
from lineman.protocols.websocket.checkup import QUESTION
from lineman.protocols.websocket.client.url import Target

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def look(
    script: Path, survey: Survey, owner_of: Callable[[Surveyed], Owner | None], timeout: float
) -> ProgramFacts:
    """Collects all facts about a program.

    Args:
        script: its file.
        survey: its description of itself.
        owner_of: the user with whose rights a worker's files are checked; None for this process'
            own.
        timeout: seconds for each connection.

    Raises:
        ConfigError: it ends before it would serve.
    """
    if not survey.reaches:
        raise ends_early(script.name)
    # Without `run_all` there is no master, so any process may be the one that serves.
    masters = masters_of(script) if survey.reaches == "run_all" else None
    return ProgramFacts(
        str(script),
        tuple(
            facts
            for worker in survey.workers
            for facts in _worker(worker, owner_of(worker), timeout, script, masters)
        ),
        machine(script),
        survey.sends_to_all,
        _troubles(script, timeout),
    )


def _worker(
    worker: Surveyed,
    owner: Owner | None,
    timeout: float,
    script: Path,
    masters: Sequence[int] | None,
) -> list[WorkerFacts]:
    """The facts about a worker, for each of its addresses."""
    place = worker.place
    try:
        # A master reads the description in the same way.
        found = [addresses.parse(each.url) for each in worker.addresses]
    except ConfigError as error:
        worker = worker.failing(error)
    if place is None or worker.fault:
        return [WorkerFacts(worker.name, fault=worker.fault, fix=worker.fix)]
    if not found:
        return [WorkerFacts(worker.name, count=place.count, has_gateway=worker.has_gateway)]
    return [
        replace(
            _address(worker, place, each, owner, timeout, script, masters),
            starts_tls=surveyed.starts_tls,
        )
        for surveyed, each in zip(worker.addresses, found, strict=True)
    ]


def _address(
    worker: Surveyed,
    place: Place,
    address: Address,
    owner: Owner | None,
    timeout: float,
    script: Path,
    masters: Sequence[int] | None,
) -> WorkerFacts:
    """The facts about one address of a worker."""
    name = worker.name
    if len(worker.addresses) > 1:  # one without a name is named by each address
        name = str(address) if name == place.address else f"{name} at {address}"
    with acting_as(owner):
        listening, speaks_tls, served = _ask(address, address.is_tls, timeout)
    stranger = ending = ""
    if listening is Outcome.DONE and masters is not None:
        stranger, ending = stranger_at(address, script, masters, owner)
    return WorkerFacts(
        name,
        url=str(address),
        host=address.host,
        port=address.port,
        path=address.path,
        is_tls=address.is_tls,
        count=place.count,
        has_gateway=worker.has_gateway,
        trusts_proxies=worker.trusts_proxies,
        real_ip_header=worker.real_ip_header,
        wants_proxy_header=bool(worker.proxy_protocol),
        ping_interval=worker.ping_interval,
        backlog=place.backlog,
        listening=listening,
        stranger=stranger,
        ending=ending,
        speaks_tls=speaks_tls,
        served=served,
        on_disk=worker.certificate,
    )


def _ask(address: Address, is_tls: bool, timeout: float) -> tuple[Outcome | None, bool | None, str]:
    """Whether it listens, whether it speaks TLS, and the certificate's fingerprint.

    The doctor first uses the protocol that the program names, because a service warns about clients
    that speak another.
    """
    if address.path:
        return _reach_file(address.path, timeout), None, ""
    if not address.port:
        return None, None, ""
    if address.protocol == "udp":
        is_there = portholder.is_taken(address.port, "udp")
        return Outcome.DONE if is_there else Outcome.REFUSED, None, ""
    ip = _ANYWHERE.get(address.host, address.host)
    outcome = reach([ip], address.port, timeout)[0].outcome
    if outcome is not Outcome.DONE:
        return outcome, None, ""
    if address.protocol in STREAMS and not is_tls:
        return outcome, None, ""  # to send something would be a message for the program
    way = Way(Target("ws", address.host, address.port, "/"), ip, timeout)
    if not is_tls and _speaks_http(way):
        return outcome, False, ""
    found = tls.look(way.with_scheme("wss"), ())
    if found.outcome is Outcome.DONE:
        return outcome, True, found.fingerprint
    may_ask = is_tls and address.protocol not in STREAMS
    return outcome, False if may_ask and _speaks_http(way) else None, ""


def _speaks_http(way: Way) -> bool:
    """Whether it speaks plain HTTP; a TLS port may answer a plain request too, with an error."""
    reply, line = shake_hands(way, Ask(((QUESTION, "1"),)))
    if line is not None:
        line.close()
    text = "" if reply.answer is None else reply.answer.text.lower()
    is_tls = reply.status == 400 and any(word in text for word in ("https", "wss", "ssl", "tls"))
    return reply.status > 0 and not is_tls


def _reach_file(path: str, timeout: float) -> Outcome:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout)
        try:
            link.connect(path)
        except TimeoutError:
            return Outcome.TIMEOUT
        except (ConnectionRefusedError, FileNotFoundError):
            return Outcome.REFUSED
        except OSError:
            return Outcome.UNREACHABLE
    return Outcome.DONE


def machine(script: Path) -> Machine:
    """The limits of a machine and a program: of its processes if it runs, else of this process."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    max_files, whose = (None if hard == resource.RLIM_INFINITY else hard), 0
    for pid in _processes(script):
        limit = _open_files(pid)
        if limit is not None and (not whose or limit < (max_files or 0)):
            max_files, whose = limit, pid
    first, last = _numbers("net/ipv4/ip_local_port_range", 2)
    return Machine(
        max_files=max_files,
        whose_files=whose,
        somaxconn=_numbers("net/core/somaxconn", 1)[0],
        ports=None if first is None or last is None else last - first + 1,
        user=os.geteuid(),
        lowest_port=_numbers("net/ipv4/ip_unprivileged_port_start", 1)[0] or 0,
    )


def _processes(script: Path) -> list[int]:
    """The processes of the running program that hold its clients; none where it is not found."""
    try:
        return children_of(holder(find_pid_file(name_of(str(script)))))
    except ConfigError:
        return []


def _troubles(script: Path, timeout: float) -> tuple[str, ...]:
    """The troubles that the running program reports; none if this user cannot ask it."""
    try:
        told = ask(find_pid_file(name_of(str(script))), {"command": "status"}, timeout)
    except (NotRunning, ConfigError):
        return ()
    return tuple(Status.from_json(told).troubles())


def _open_files(pid: int) -> int | None:
    """How many files a process may have open; None where that is unknown.

    Source: proc(5), `/proc/pid/limits`
    """
    try:
        lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    soft = [line.split()[3] for line in lines if line.startswith("Max open files ")]
    return int(soft[0]) if soft and soft[0].isdigit() else None


def _numbers(name: str, count: int) -> list[int | None]:
    try:
        words = Path("/proc/sys", name).read_text(encoding="ascii").split()
        return [int(word) for word in words[:count]]
    except (OSError, ValueError):
        return [None] * count
