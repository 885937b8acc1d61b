"""`make soak`: does memory come back?

    python bench/soak.py                                             ten minutes
    python bench/soak.py --scheme wss --part messages                one piece of it
    python bench/soak.py --connects 2000 --messages 20000 --large 100 --quiet 5 --slow 20

For ws and wss, each part against a server in a process of its own:

    connects   connects and disconnects; resident memory is where it was after a warm-up
    messages   the same for messages
    large      idle connections, then one message of 64 KiB on each and back, then silence; each
               uses at most 2 KiB more memory than before
    slow       a broadcast to clients of which many read nothing, with each of the policies; memory
               stays within its bound and is freed again, and clients that read get every message

The exit status is 1 if one of these fails.
"""

from __future__ import annotations

import argparse
import resource
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sidebyside import machine
from sidebyside.processes import Server
from sidebyside.rows import KIB
from soaking import Place, load, open_clients, slowreaders

from lineman.runtime import memory

SIZE = 64 * KIB
# How much the memory of a Python process may change without a leak. If each of 100,000 connects
# left a single object of 32 bytes, it would be more.
TOLERANCE = 2048 * KIB
ABOVE_IDLE = 2 * KIB  # for each connection


@dataclass(frozen=True, slots=True)
class Soak:
    """How long the soak is.

    Attributes:
        connects: connections that open and close.
        messages: messages that are echoed.
        large: connections with a large message each.
        quiet: seconds before memory is read.
        slow: connections that read nothing.
    """

    connects: int
    messages: int
    large: int
    quiet: float
    slow: int


class Verdict:
    """Prints figures beside their limits, and remembers whether all kept them."""

    def __init__(self, scheme: str) -> None:
        self.is_good = True
        self._scheme = scheme

    def tell(self, what: str, figure: float, limit: float, unit: str = "KiB") -> None:
        """One figure and the most that it may be."""
        self.is_good &= figure <= limit
        verdict = "" if figure <= limit else "   TOO MUCH"
        print(
            f"{self._scheme:<4} {what}: {figure:+.1f} {unit}, at most {limit:g}{verdict}",
            flush=True,
        )


def grown(place: Place, mode: str, count: int, what: str, verdict: Verdict) -> None:
    """How much more resident memory is in use after all of the work than after a twentieth."""
    with place.echoing() as server:
        url = place.url(server)
        load(url, mode, count // 20)
        time.sleep(1)
        before = machine.memory_kib(server.pid)
        done = load(url, mode, count)
        time.sleep(1)
        verdict.tell(f"{done} {what}", machine.memory_kib(server.pid) - before, TOLERANCE / KIB)


def connects(place: Place, soak: Soak, verdict: Verdict) -> None:
    """Memory after connects and disconnects."""
    grown(place, "connect", soak.connects, "connects and disconnects", verdict)


def messages(place: Place, soak: Soak, verdict: Verdict) -> None:
    """Memory after messages."""
    grown(place, "echo", soak.messages, "messages", verdict)


def large(place: Place, soak: Soak, verdict: Verdict) -> None:
    """Memory of connections that had one large message each, some time ago."""
    with place.echoing() as server:
        empty = machine.memory_kib(server.pid)
        idle, after = large_there_and_back(server, place.tls, soak)
        print(f"{place.scheme:<4} {soak.large} idle connections: "
              f"{(idle - empty) / soak.large:.2f} KiB each")  # fmt: skip
        what = f"each of them, {soak.quiet:g} s after 64 KiB there and back"
        verdict.tell(what, (after - idle) / soak.large, ABOVE_IDLE / KIB)


def large_there_and_back(server: Server, tls: ssl.SSLContext | None, soak: Soak) -> tuple[int, int]:
    """Memory in KiB with idle connections, and with the same ones after a large message each."""
    message = bytes(SIZE)
    with open_clients(server, tls, soak.large) as clients:
        time.sleep(1)
        idle = machine.memory_kib(server.pid)
        for client in clients:
            client.send(message)
        for client in clients:
            if client.receive_message() != message:
                raise SystemExit("soak: another message came back")
        time.sleep(soak.quiet)
        return idle, machine.memory_kib(server.pid)


def slow(place: Place, soak: Soak, verdict: Verdict) -> None:
    """The effect of a broadcast on memory and on clients that read, while others do not read."""
    for policy in slowreaders.POLICIES:
        found = slowreaders.measure(place, policy, soak.slow)
        for how, words in (
            ("alone", found.alone),
            (f"while {soak.slow} slow ones fill up", found.filling),
            ("once they are full", found.full),
        ):
            print(f'{place.scheme:<4} "{policy}": {slowreaders.READERS} readers {how}: {words}')
        verdict.tell(f'"{policy}": lost by the readers', found.lost, 0, "messages")
        # Clients that read may be behind for a moment, too.
        most = slowreaders.BOUND * (soak.slow + slowreaders.READERS) / KIB + TOLERANCE / KIB
        verdict.tell(f'"{policy}": the most that the process grew by', found.peak, most)
        left = (TOLERANCE + memory.WORTH) / KIB
        verdict.tell(f'"{policy}": when they have gone', found.left, left)


PARTS: dict[str, Callable[[Place, Soak, Verdict], None]] = {
    "connects": connects,
    "messages": messages,
    "large": large,
    "slow": slow,
}


def main() -> None:
    """Reads the command line and soaks ws, then wss."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--scheme", nargs="+", choices=("ws", "wss"), default=["ws", "wss"])
    add("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    add("--connects", type=int, default=100_000, metavar="N", help="(default: 100000)")
    add("--messages", type=int, default=1_000_000, metavar="N", help="(default: 1000000)")
    add("--large", type=int, default=5000, metavar="N", help="connections (default: 5000)")
    add("--quiet", type=float, default=60.0, metavar="S", help="seconds (default: 60)")
    add("--slow", type=int, default=200, metavar="N", help="slow readers (default: 200)")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soak = Soak(options.connects, options.messages, options.large, options.quiet, options.slow)
    print(", ".join(machine.describe()), "|", *machine.versions(sys.executable, []), flush=True)
    is_good = True
    with tempfile.TemporaryDirectory() as directory:
        for scheme in options.scheme:
            place = Place(scheme, Path(directory))
            verdict = Verdict(scheme)
            for part in options.part:
                began = time.monotonic()
                PARTS[part](place, soak, verdict)
                print(f"{scheme:<4} {part} took {time.monotonic() - began:.0f} s", flush=True)
            is_good &= verdict.is_good
    raise SystemExit(0 if is_good else 1)


if __name__ == "__main__":
    main()
