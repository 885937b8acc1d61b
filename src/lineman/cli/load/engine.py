"""Runs a load test: one loop over all sockets, phase after phase."""

from __future__ import annotations

import resource
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from lineman.cli.load import servercpu
from lineman.cli.load.datagram_link import DatagramLink
from lineman.cli.load.load_counts import LoadCounts, Result, ServerCpu
from lineman.cli.load.load_link import LinkState, LoadLink
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.load.load_shared import HANG_UP, Net
from lineman.cli.load.modes import WORKS
from lineman.cli.load.work import wrong_replies
from lineman.client.stream_target import AnyTarget
from lineman.errors import ConfigError

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
TICK = 50 * MILLISECOND
AT_ONCE = 64  # connections that open at a time: many services have a backlog of 100
GOODBYE = 5.0  # seconds, at most, for the closing handshakes at the end
FUTILE = 2.0  # seconds after which a service with other answers is distinguished from a slow one
LOOPBACKS = 32  # local addresses to connect from; one has some 28,000 ports for a service
MANY = 20_000  # connections, from which on one local address is not enough

Address = tuple[socket.AddressFamily, Any]
# The phase, its progress (0 to 1), and the counts so far.
Show = Callable[[str, float, LoadCounts], None]


def addresses_of(target: AnyTarget) -> list[Address]:
    """Where a target is, best first.

    Raises:
        socket.gaierror: the name is unknown.
    """
    if target.unix_path:
        return [(socket.AF_UNIX, target.unix_path)]
    return resolve(target.host, target.port)


def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a host, best first.

    Raises:
        socket.gaierror: the name is unknown.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, place) for family, _, _, _, place in found]


class LoadEngine:
    """One load test.

    Args:
        plan: what to do.
        addresses: of the service, best first.
        tls: how to speak TLS; None for plain connections.
        show: called some twenty times a second.
        futile_after: seconds of wrong answers, and no right one, after which it is given up.
        hang_up: nanoseconds that the service has to end a connection after its close frame.
    """

    def __init__(
        self,
        plan: Plan,
        addresses: list[Address],
        tls: ssl.SSLContext | None,
        show: Show,
        *,
        futile_after: float = FUTILE,
        hang_up: int = HANG_UP,
    ) -> None:
        self._plan = plan
        self._addresses = addresses
        self._show = show
        self._tally = LoadCounts()
        self._net: Net[LoadLink] = Net(
            plan.opening, addresses[0], tls, round(plan.timeout * SECOND), hang_up
        )
        self._futile_after = round(futile_after * SECOND)
        self._work = WORKS[plan.mode](plan, self._tally, self)
        self._links: list[LoadLink] = []
        self._starts: list[int] = []
        self._started = 0
        self._next_tick = 0
        self._phase = ("", 0, 1)  # its name, when it began, when it ends
        self._is_spinning = False
        self._is_stopped = False

    def stop(self) -> None:
        """Ends the test early; what was measured until then is its result."""
        self._is_stopped = True

    def run(self) -> Result:
        """Opens, measures, waits for the last answers, closes.

        Raises:
            ConfigError: the first connection cannot be opened, and why.
        """
        _allow_descriptors(self._plan.connections + self._work.extra)
        try:
            return self._run()
        finally:
            for link in list(self._net.links.values()):
                link.drop(self._clock())
            self._net.epoll.close()

    def _run(self) -> Result:
        began = self._clock()
        first = self._open_first()
        links = self._open_all(first)
        opened, opening = self._tally.opened, self._clock() - began
        kind = first.tls, first.subprotocol
        now = self._clock()
        self._is_spinning = self._plan.spin
        if not self._is_stopped:
            self._work.begin(links, now)
        self._go_on("warming up", self._plan.warmup)
        self._tally.start_again()
        before, since = self._read_cpu(), self._clock()
        self._go_on(self._plan.mode.value, self._plan.duration)
        seconds = (self._clock() - since) / SECOND
        server = self._cpu_since(before)
        count, payload = self._tally.count, self._tally.payload
        is_early = self._is_stopped or self._work.is_over
        self._finish()
        if self._plan.mode is Mode.CONNECT:
            opened = self._tally.opened
        return Result(
            plan=self._plan, seconds=seconds, count=count, payload=payload,
            latency=self._tally.latency, opened=opened, opening_seconds=opening / SECOND,
            unanswered=self._work.unanswered, others=self._tally.others,
            failures=dict(self._tally.failures), examples=dict(self._tally.examples),
            close_codes=dict(self._tally.close_codes), tls=kind[0], subprotocol=kind[1],
            server=server, is_interrupted=is_early,
        )  # fmt: skip

    # The phases.

    def _open_first(self) -> LoadLink:
        """Opens one connection first, so that an error that concerns all is reported once."""
        for address in self._addresses:
            self._net.family, self._net.place = address
            link = self._new_link(self._clock())
            self._enter("connecting", self._plan.timeout)
            while link.state not in (LinkState.OPEN, LinkState.CLOSED) and not self._is_stopped:
                self._turn(self._phase[2])
            if link.state is not LinkState.CLOSED:
                return link
        failure = next(reversed(self._tally.examples.values()))
        raise ConfigError(failure.seen, failure.fix)

    def _open_all(self, first: LoadLink) -> list[LoadLink]:
        links = [first]
        # Attempts with other addresses of the host do not count as failures.
        self._tally.failures.clear()
        self._tally.examples.clear()
        if self._plan.mode is Mode.CONNECT:
            return links
        wanted = self._plan.connections + self._work.extra
        self._enter("opening", None)
        opening: list[LoadLink] = []
        while not self._is_stopped and (len(links) < wanted or opening):
            while len(links) < wanted and len(opening) < AT_ONCE:
                links.append(self._new_link(self._clock()))
                opening.append(links[-1])
            self._turn(self._clock() + TICK)
            opening = [one for one in opening if one.state.value < LinkState.OPEN.value]
        return [link for link in links if link.is_alive]

    def _go_on(self, name: str, seconds: float) -> None:
        """Continues the work for this time, in nanoseconds."""
        if not seconds:
            return
        self._enter(name, seconds)
        schedule = self._work.schedule
        end, now = self._phase[2], self._clock()
        while not self._is_stopped and not self._work.is_over:
            if now - self._phase[1] > self._futile_after and self._is_futile():
                break
            self._work.pump(now)
            self._start_due(now)
            now = self._turn(end if schedule is None else min(end, schedule.next_due))
            if now >= end:
                break

    def _finish(self) -> None:
        """Waits for what is on its way, then closes all connections in order."""
        self._is_stopped = self._is_spinning = False
        self._work.end()
        self._start_due(self._clock())  # they are counted as under way
        self._enter("waiting for the last answers", self._plan.timeout)
        while self._work.awaited and not self._is_stopped and not self._is_futile():
            if self._turn(self._phase[2]) >= self._phase[2]:
                break
        if self._is_futile():
            self._tally.fail(wrong_replies())
        self._is_stopped = False
        patience = min(self._plan.timeout, GOODBYE)
        self._enter("closing", patience)
        for link in list(self._net.links.values()):
            link.leave(self._clock(), round(patience * SECOND))
        while self._net.links and not self._is_stopped and self._clock() < self._phase[2]:
            self._turn(self._phase[2])
        for link in list(self._net.links.values()):
            link.give_up(self._clock())

    def _is_futile(self) -> bool:
        """Whether the service answers, but never with the message that was sent."""
        tally = self._tally
        waits = self._work.awaited if tally.others and not tally.has_counted else 0
        return bool(waits) and tally.others >= tally.opened - self._work.extra

    # Connections.

    def start_client(self, now: int, due: int) -> None:
        """Begins one more connection, at the next turn since a refused one may start another.

        Args:
            now: nanoseconds.
            due: when it should have begun.
        """
        self._starts.append(due)

    def _start_due(self, now: int) -> None:
        starts, self._starts = self._starts, []
        for due in starts:
            self._new_link(now).began = due

    def _new_link(self, now: int) -> LoadLink:
        kind = DatagramLink if self._plan.protocol == "udp" else LoadLink
        link = kind(self._net, self._work, self._started)
        self._started += 1
        source = None
        is_many = self._plan.mode is Mode.CONNECT or self._plan.connections > MANY
        if is_many and self._net.family is socket.AF_INET and self._net.place[0][:4] == "127.":
            source = f"127.0.0.{1 + self._started % LOOPBACKS}"
        link.connect(now, source)
        return link

    # The loop.

    _clock = staticmethod(time.monotonic_ns)

    def _enter(self, name: str, seconds: float | None) -> None:
        now = self._clock()
        self._phase = (name, now, now + round((seconds or 0) * SECOND))

    def _turn(self, until: int) -> int:
        """Serves what is ready, waiting for it until a time at most; the time afterwards."""
        clock = self._clock
        wait = 0
        if not self._is_spinning and not self._starts:
            now = clock()
            # epoll counts in milliseconds and rounds up, which is too late for a schedule.
            wait = max(0, min(until - now, self._next_tick - now)) // MILLISECOND
        links = self._net.links
        for fd, events in self._net.epoll.poll(wait / 1000, 1024):
            link = links.get(fd)
            if link is not None:
                link.on_event(events, clock())
        now = clock()
        if now >= self._next_tick:
            self._tick(now)
        return now

    def _tick(self, now: int) -> None:
        self._next_tick = now + TICK
        for link in list(self._net.links.values()):
            if link.deadline and link.deadline < now:
                link.give_up(now)
        name, began, end = self._phase
        if end > began:
            done = min(1.0, (now - began) / (end - began))
        else:
            done = min(1.0, self._tally.opened / self._plan.connections)
        self._show(name, done, self._tally)

    # The server's processor.

    def _read_cpu(self) -> servercpu.CpuReading | None:
        return servercpu.read(self._plan.pids) if self._plan.pids else None

    def _cpu_since(self, before: servercpu.CpuReading | None) -> ServerCpu | None:
        if before is None:
            return None
        try:
            return before.until(servercpu.read(self._plan.pids))
        except ConfigError:  # it has died; the failures say so
            return None


def _allow_descriptors(connections: int) -> None:
    needed = connections + 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"{connections} connections need {needed} file descriptors, {hard} are allowed",
            f"raise the limit: ulimit -Hn {needed} (as root), or use fewer --connections",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
